// How far a merge or a copy is, while a worker is at it.
import { morph } from './morph.js';

const EVERY_MS = 1000;

async function refresh(part) {
  const answer = await fetch(part.dataset.exports, { headers: { Accept: 'text/html' } });
  if (!answer.ok) return;
  const box = document.createElement('template');
  box.innerHTML = await answer.text();
  const fresh = box.content.querySelector('#exports');
  if (fresh) morph(part, fresh);
}

setInterval(() => {
  const part = document.querySelector('#exports[data-open]');
  if (part && !document.hidden) refresh(part).catch(() => {}); // the server is away: the next time
}, EVERY_MS);
