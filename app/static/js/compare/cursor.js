// One cursor over all curves: where the pointer is in one chart, every other shows the same moment.
import { runs } from './data.js';
import { look } from './palette.js';
import { pickedIds, pointedId } from './selection.js';

const MOST_ROWS = 10;
const names = new Map(runs.map(run => [run.id, run.name]));
const charts = [];

const element = (tag, className, text = '') => Object.assign(document.createElement(tag), { className, textContent: text });

/** `chart` says where x is (`toX`, `toY` in pixels), what each run has there (`valuesAt`), and how to write it. */
export function follow(plot, chart) {
  const line = element('div', 'cursor'), readout = element('div', 'readout'), tip = element('div', 'tip');
  for (const part of [line, readout, tip]) { part.hidden = true; plot.append(part); }
  const shown = { plot, chart, line, readout, tip };
  charts.push(shown);
  return { at: (x, pointer) => { for (const other of charts) show(other, x, other === shown ? pointer : null); }, leave };
}

function leave() {
  for (const { line, readout, tip } of charts) line.hidden = readout.hidden = tip.hidden = true;
}

function show({ plot, chart, line, readout, tip }, x, pointer) {
  const place = chart.toX(x);
  line.hidden = readout.hidden = tip.hidden = true;
  if (place === null || !plot.isConnected) return;
  line.hidden = false;
  line.style.left = `${place}px`;
  const values = chart.valuesAt(x);
  if (pointer) fill(tip, plot, chart, x, values, pointer);
  else if (values.length) { readout.hidden = false; readout.textContent = summary(values, chart); }
}

/** The run that is pointed at, or the only one picked; else from the lowest to the highest. */
function summary(values, chart) {
  const one = pointedId() ?? (pickedIds().length === 1 ? pickedIds()[0] : null), mine = values.find(([id]) => id === one);
  if (mine) return `${names.get(one)} ${chart.write(mine[1])}`;
  const all = values.map(([, value]) => value), low = chart.write(Math.min(...all)), high = chart.write(Math.max(...all));
  return low === high ? low : `${low} to ${high}`;
}

function fill(tip, plot, chart, x, values, { left, top }) {
  const near = values.toSorted((a, b) => Math.abs(chart.toY(a[1]) - top) - Math.abs(chart.toY(b[1]) - top)).slice(0, MOST_ROWS);
  const rows = near.sort((a, b) => chart.toY(a[1]) - chart.toY(b[1])).map(([id, value]) => {
    const row = element('div', id === pointedId() ? 'tip-here' : ''), name = element('span', '', names.get(id)), dot = element('i', '');
    dot.style.background = look(id).color;
    name.prepend(dot);
    row.append(name, element('span', '', chart.write(value)));
    return row;
  });
  const more = values.length - rows.length;
  tip.replaceChildren(element('b', '', chart.place(x)), ...rows, ...(more > 0 ? [element('b', '', `and ${more} more`)] : []));
  tip.hidden = values.length === 0;
  const room = plot.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${left + 16 < room ? left + 16 : Math.max(0, left - tip.offsetWidth - 16)}px`;
  tip.style.top = `${Math.max(0, Math.min(top - 12, plot.clientHeight - tip.offsetHeight))}px`;
}
