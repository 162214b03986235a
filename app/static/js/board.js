// The leaderboard while it is open: rows are brought up to date in their places and never change their order.
import { onChange } from './live.js';

const box = document.querySelector('[data-board]');
const notice = document.querySelector('[data-stale]');
const order = table => [...table.querySelectorAll('tr[data-run]')].map(row => row.dataset.run);

function replaceRow(row, fresh) {
  if (row.innerHTML === fresh.innerHTML) return;
  const chosen = row.querySelector('input[data-select]')?.checked;
  const focused = row.contains(document.activeElement) && document.activeElement !== row;
  row.className = fresh.className;
  row.replaceChildren(...fresh.childNodes);
  const select = row.querySelector('input[data-select]');
  if (select && chosen && !select.disabled) select.checked = true;
  if (focused) row.focus();
}

/** How many runs stand elsewhere in the fresh table, or are not in this one. */
function moved(now, fresh) {
  const places = new Map(now.map((run, place) => [run, place]));
  return fresh.filter((run, place) => places.get(run) !== place).length;
}

async function refresh() {
  const answer = await fetch(box.dataset.board, { headers: { Accept: 'text/html' } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const row of box.querySelectorAll('tr[data-run]')) {
    const other = fresh.querySelector(`tr[data-run="${row.dataset.run}"]`);
    if (other) replaceRow(row, other.cloneNode(true));
  }
  const changed = moved(order(box), order(fresh));
  notice.hidden = changed === 0;
  notice.firstElementChild.textContent = changed === 1 ? '1 run has a new place.' : `${changed} runs have a new place.`;
  box.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
}

if (box) onChange(refresh);
