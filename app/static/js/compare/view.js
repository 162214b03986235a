// How all curves are looked at: along what, how smooth, on which axis, and how much of their length.
import { read, write } from './address.js';

const AXES = ['step', 'epoch', 'time'];
const asked = read('axis'), smoothness = Number(read('smooth') ?? 86);
export const view = {
  axis: AXES.includes(asked) ? asked : null, // null until the first chart knows whether the runs are equally long
  smooth: smoothness >= 0 && smoothness <= 99 ? smoothness : 86,
  log: read('log') === '1',
  zoom: null,
};

const listeners = [];
export const onView = listener => listeners.push(listener);

export function look(changes) {
  if (changes.axis && changes.axis !== view.axis) view.zoom = null; // in the units of the axis before
  Object.assign(view, changes);
  for (const listener of listeners) listener();
}

export const xName = () => ({ step: 'step', epoch: 'epoch', time: 'minutes of training' })[view.axis];

export function startControls(section) {
  const buttons = section.querySelectorAll('[data-axis]'), reset = section.querySelector('[data-zoom-reset]');
  const smooth = section.querySelector('[data-smooth]'), log = section.querySelector('[data-log]');
  smooth.value = view.smooth;
  log.checked = view.log;
  for (const button of buttons) {
    button.addEventListener('click', () => { write('axis', button.dataset.axis); look({ axis: button.dataset.axis }); });
  }
  smooth.addEventListener('input', () => look({ smooth: Number(smooth.value) }));
  smooth.addEventListener('change', () => write('smooth', smooth.value === '86' ? '' : smooth.value));
  log.addEventListener('change', () => { write('log', log.checked ? '1' : ''); look({ log: log.checked }); });
  reset.addEventListener('click', () => look({ zoom: null }));
  const say = () => {
    for (const button of buttons) button.setAttribute('aria-pressed', button.dataset.axis === view.axis);
    reset.disabled = view.zoom === null;
  };
  onView(say);
  say();
}
