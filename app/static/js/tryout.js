// Answers as they are written: what is there by now is asked for until there is no more to come.
import { morph } from './morph.js';

const EVERY_MS = 250;
const AWAY_MS = 2000; // while the server does not answer

const box = document.getElementById('answers');

async function refresh() {
  const answer = await fetch(box.dataset.answers, { headers: { Accept: 'text/html' } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const fresh = box.cloneNode(false);
  fresh.innerHTML = await answer.text();
  morph(box, fresh);
}

async function follow() {
  while (box.querySelector('[data-open]')) {
    const pause = document.hidden ? AWAY_MS : await refresh().then(() => EVERY_MS, () => AWAY_MS);
    await new Promise(resolve => setTimeout(resolve, pause));
  }
}
follow();
