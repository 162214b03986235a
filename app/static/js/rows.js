// Tables of runs: move with J and K, select with X, count what is selected.
const rows = () => [...document.querySelectorAll('tr[data-row]')];

export function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement?.closest('tr[data-row]'));
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by;
  all[Math.max(0, Math.min(all.length - 1, next))].focus();
}

export function toggle() {
  const box = document.activeElement?.closest('tr[data-row]')?.querySelector('input[data-select]:not(:disabled)');
  if (box) box.click();
}

function count() {
  const boxes = [...document.querySelectorAll('input[data-select]')];
  for (const box of boxes) box.closest('tr').classList.toggle('is-selected', box.checked);
  const chosen = boxes.filter(box => box.checked).length;
  for (const bar of document.querySelectorAll('[data-selection]')) {
    bar.querySelector('[data-count]').textContent = chosen;
    bar.querySelector('[data-scripted]').hidden = false;
    for (const button of bar.querySelectorAll('button')) button.disabled = chosen === 0;
  }
}

document.addEventListener('change', event => { if (event.target.matches('input[data-select]')) count(); });
document.addEventListener('refreshed', count);
count();
