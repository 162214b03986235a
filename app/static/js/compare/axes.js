// A column as an axis: numbers along it, words as places; few numbers are places too, evenly apart.
import { token, xAxis, yAxis } from '../charts.js';
import { axisWriter } from './words.js';

const MOST_PLACES = 12;

const size = value => (typeof value === 'number' ? value : Infinity);

/** {places: texts | null, of(at) -> coordinate of the run at that place or null}. A setting has places, smallest first. */
export function scaleOf(column) {
  const known = column.values.map((value, at) => [value, column.texts[at]]).filter(([value]) => value !== null);
  const texts = [...new Map(known.sort((a, b) => size(a[0]) - size(b[0]) || a[1].localeCompare(b[1])).map(([, text]) => [text, text])).values()];
  const isPlaced = known.some(([value]) => typeof value !== 'number') || (column.kind === 'setting' && texts.length <= MOST_PLACES);
  if (isPlaced) return { places: texts, of: at => (column.values[at] === null ? null : texts.indexOf(column.texts[at])) };
  return { places: null, of: at => column.values[at] };
}

export const title = column => (column.unit ? `${column.label}, ${column.unit}` : column.label);

/** A title in lines of few letters, for where axes stand close. */
export function wrapped(column, most = 12) {
  const lines = [''];
  for (const word of title(column).split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length <= most || !lines.at(-1)) lines[lines.length - 1] = longer; else lines.push(word);
  }
  return lines.slice(0, 3).join('\n');
}

/** Better is up; to the right nothing is turned. */
export function axisOf(column, scale, isVertical, values = column.values) {
  const named = isVertical ? {} : { name: title(column), nameLocation: 'middle', nameGap: 26, nameTextStyle: { color: token('--ink-3'), fontSize: 11 } };
  const make = isVertical ? yAxis : xAxis, inverse = isVertical && column.better === 'lower';
  if (scale.places) return make({ ...named, type: 'category', data: scale.places, boundaryGap: true, axisLabel: { interval: 0 } });
  const known = values.filter(value => value !== null);
  const formatter = axisWriter(Math.min(...known), Math.max(...known));
  return make({ ...named, scale: true, inverse, boundaryGap: ['6%', '6%'], axisLabel: { formatter }, ...(inverse && { axisLine: { show: false } }) });
}
