// Tables of runs: move with J and K, select with X, compare with C, pin with B; count what is selected.
const rows = () => [...document.querySelectorAll('tr[data-row]')];
const current = () => document.activeElement?.closest('tr[data-row]');

export function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(current());
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by;
  all[Math.max(0, Math.min(all.length - 1, next))].focus();
}

export function toggle() {
  current()?.querySelector('input[data-select]:not(:disabled)')?.click();
}

export function enter() {
  const row = document.activeElement;
  if (row?.matches('tr[data-row]')) row.querySelector('.name a')?.click();
}

export function compare() {
  document.querySelector('button[data-compare]:not(:disabled)')?.click();
}

export function pin() {
  current()?.querySelector('a[data-pin]')?.click();
}

/** A row of several seeds counts as its runs; one alone compares with the run that is pinned. */
function count() {
  const boxes = [...document.querySelectorAll('input[data-select]')];
  for (const box of boxes) box.closest('tr').classList.toggle('is-selected', box.checked);
  const chosen = boxes.filter(box => box.checked).flatMap(box => box.value.split(' ')).length;
  for (const bar of document.querySelectorAll('[data-selection]')) {
    const shown = bar.querySelector('[data-count]');
    shown.textContent = chosen;
    shown.hidden = false;
    for (const button of bar.querySelectorAll('button')) button.disabled = chosen === 0;
    bar.querySelector('[data-compare]').disabled = chosen < ('pinned' in bar.dataset ? 1 : 2);
  }
}

document.addEventListener('change', event => { if (event.target.matches('input[data-select]')) count(); });
document.addEventListener('refreshed', count);
count();
