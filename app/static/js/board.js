// The leaderboard while it is open: rows are brought up to date in their places and never change their order.
import { onChange } from './live.js';
import { morph } from './morph.js';

const box = document.querySelector('[data-board]');
const notice = document.querySelector('[data-stale]');
const order = table => [...table.querySelectorAll('tr[data-run]')].map(row => row.dataset.run);

/** How many runs stand elsewhere in the fresh table, or are in only one of the two. */
function moved(now, fresh) {
  const both = new Set([...now, ...fresh]);
  return [...both].filter(run => now.indexOf(run) !== fresh.indexOf(run)).length;
}

async function refresh() {
  const answer = await fetch(box.dataset.board, { headers: { Accept: 'text/html' } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const row of box.querySelectorAll('tr[data-run]')) {
    const other = fresh.querySelector(`tr[data-run="${row.dataset.run}"]`);
    if (other) morph(row, document.importNode(other, true));
  }
  const changed = moved(order(box), order(fresh));
  notice.hidden = changed === 0;
  notice.firstElementChild.textContent = changed === 1 ? '1 run has a new place.' : `${changed} runs have a new place.`;
  box.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
}

if (box) onChange(refresh);
