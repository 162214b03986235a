// How a run looks in every chart: a colour of its own while there are few, else one only where it is picked.
import { colour, token } from '../charts.js';
import { runs } from './data.js';
import { isFaded, isPicked, pickedIds, pointedId } from './selection.js';

export const DASH = { b: [6, 3], 4: [2, 2], 7: [8, 3, 2, 3] };
const COLOURS = 7;
const byId = new Map(runs.map(run => [run.id, run]));

/** The slot of the palette; empty: grey. Where runs are too many for it, they take colours as they are picked. */
export function slotOf(id) {
  const run = byId.get(id);
  if (run.slot) return run.slot;
  const place = pickedIds().filter(other => !byId.get(other).slot).indexOf(id);
  return place >= 0 && place < COLOURS ? String(place + 1) : '';
}

export function look(id) {
  const slot = slotOf(id), strong = isPicked(id) || pointedId() === id, faded = isFaded(id);
  return {
    color: slot ? colour(slot) : token(strong ? '--ink' : '--ink-3'),
    dash: DASH[slot] ?? 'solid',
    width: strong ? 2.5 : slot === 'b' ? 2 : slot ? 1.75 : 1,
    opacity: faded ? 0.2 : slot || strong ? 1 : 0.45,
    z: strong ? 9 : slot === 'b' ? 5 : slot ? 4 : 3,
  };
}
