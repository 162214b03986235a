// The one selection of all charts: the runs that were picked, and the one that is pointed at.
import { read, write } from './address.js';
import { places } from './data.js';

const listeners = { pick: [], point: [] };
let picked = new Set((read('picked') ?? '').split(',').map(Number).filter(id => places.has(id)));
let pointed = null;

export const isPicked = id => picked.has(id);
export const pickedIds = () => [...picked];
export const pointedId = () => pointed;
/** Whether others are singled out and this one is not. */
export const isFaded = id => (pointed !== null ? pointed !== id : picked.size > 0 && !picked.has(id));

export const onPick = listener => listeners.pick.push(listener);
export const onPoint = listener => listeners.point.push(listener);

/** `by` is the chart that the runs were picked in: the others follow. */
export function pick(ids, by = null) {
  picked = new Set(ids);
  write('picked', [...picked].join(','));
  for (const listener of listeners.pick) listener(by);
}

export const toggle = id => pick(picked.has(id) ? pickedIds().filter(other => other !== id) : [...picked, id]);

export function point(id) {
  if (pointed === id) return;
  pointed = id;
  for (const listener of listeners.point) listener(id);
}
