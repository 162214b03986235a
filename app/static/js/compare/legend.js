// The key of all charts: points at runs, picks them, finds them by name, and says what is picked.
import { data, runs } from './data.js';
import { slotOf } from './palette.js';
import { isPicked, onPick, pick, pickedIds, point, toggle } from './selection.js';

const bar = document.querySelector('.pickbar');
const names = new Map(runs.map(run => [run.id, run.name]));

/** Everything on the page that stands for a run: the keys here, and the heads of the tables. */
function follow(element) {
  const id = Number(element.dataset.runKey ?? element.pathname.split('/').at(-1));
  if (!names.has(id)) return;
  element.addEventListener('pointerenter', () => point(id));
  element.addEventListener('pointerleave', () => point(null));
  element.addEventListener('focus', () => point(id));
  element.addEventListener('blur', () => point(null));
}

function say() {
  const ids = pickedIds();
  const text = ids.length === 0 ? 'Click runs to pick them in all charts.'
    : ids.length <= 3 ? `Picked: ${ids.map(id => names.get(id)).join(', ')}` : `${ids.length} of ${runs.length} runs picked`;
  bar.querySelector('[data-picked-text]').textContent = text;
  bar.querySelector('[data-picked-do]').hidden = ids.length === 0;
  for (const link of bar.querySelectorAll('[data-picked-link]')) {
    // Two make a comparison; of one alone it is with the baseline.
    const baseline = runs[0].id;
    const chosen = ids.includes(baseline) ? ids : link.dataset.pickedLink === '/compare' && ids.length > 1 ? ids : [baseline, ...ids];
    link.href = `${link.dataset.pickedLink}?runs=${chosen.join(',')}&baseline=${chosen.includes(baseline) ? baseline : chosen[0]}`;
  }
  for (const key of bar.querySelectorAll('[data-run-key]')) {
    const id = Number(key.dataset.runKey);
    key.setAttribute('aria-pressed', isPicked(id));
    key.querySelector('.swatch line').setAttribute('class', `s${slotOf(id)}`);
  }
}

export function startLegend() {
  if (!bar || data.runs.length === 0) return;
  document.querySelectorAll('[data-run-key], a.who').forEach(follow);
  for (const key of bar.querySelectorAll('[data-run-key]')) key.addEventListener('click', () => toggle(Number(key.dataset.runKey)));
  bar.querySelector('[data-picked-clear]').addEventListener('click', () => pick([]));
  const find = bar.querySelector('[data-legend-find]');
  find?.addEventListener('input', () => {
    const words = find.value.trim().toLowerCase().split(/\s+/);
    for (const key of bar.querySelectorAll('[data-run-key]')) {
      const name = names.get(Number(key.dataset.runKey)).toLowerCase();
      key.hidden = !words.every(word => name.includes(word));
    }
  });
  find?.addEventListener('keydown', event => { // Enter picks all that were found
    if (event.key !== 'Enter' || !find.value.trim()) return;
    pick([...bar.querySelectorAll('[data-run-key]:not([hidden])')].map(key => Number(key.dataset.runKey)));
  });
  onPick(say);
  say();
}
