// A chart as a file: drawn once more off the page, with its title and a key of the runs that have a colour.
import * as echarts from '../../vendor/echarts.esm.min.mjs';
import { token } from '../charts.js';
import { runs } from './data.js';
import { look, slotOf } from './palette.js';

const MOST_KEYS = 12, KEY_WIDTH = 150, KEY_HEIGHT = 16, TITLE_HEIGHT = 32;

const keyedRuns = () => runs.filter(run => slotOf(run.id)).slice(0, MOST_KEYS);
const inARow = width => Math.max(1, Math.floor((width - 24) / KEY_WIDTH));
const headHeight = width => TITLE_HEIGHT + KEY_HEIGHT * Math.ceil(keyedRuns().length / inARow(width));

function key(run, place, width) {
  const { color, dash } = look(run.id), x = 12 + KEY_WIDTH * (place % inARow(width));
  const y = TITLE_HEIGHT + KEY_HEIGHT * Math.floor(place / inARow(width));
  const text = run.name.length > 18 ? `${run.name.slice(0, 17)}…` : run.name;
  return { type: 'group', children: [
    { type: 'line', shape: { x1: x, x2: x + 18, y1: y + 6, y2: y + 6 }, style: { stroke: color, lineWidth: 3, lineDash: dash === 'solid' ? null : dash } },
    { type: 'text', style: { x: x + 24, y, text, fill: token('--ink-2'), font: `11px ${token('--sans')}` } },
  ] };
}

function headed(option, title, width) {
  const lowered = part => part && { ...part, top: (part.top ?? 12) + headHeight(width) };
  return {
    ...option, grid: lowered(option.grid), parallel: lowered(option.parallel), animation: false,
    backgroundColor: token('--bg'), textStyle: { fontFamily: token('--sans') },
    title: { text: title, left: 12, top: 8, padding: 0, textStyle: { fontFamily: token('--sans'), color: token('--ink'), fontSize: 13, fontWeight: 600 } },
    graphic: keyedRuns().map((run, place) => key(run, place, width)),
  };
}

function give(content, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** `make()` gives the option of the chart as it is now, `title()` what it is called. */
export function savable(figure, title, make) {
  for (const button of figure.querySelectorAll('[data-save]')) {
    button.addEventListener('click', () => {
      const plot = figure.querySelector('.plot'), width = plot.clientWidth, height = plot.clientHeight + headHeight(width);
      const name = title().toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
      const option = headed(make(), title(), width);
      const isSvg = button.dataset.save === 'svg';
      const chart = echarts.init(isSvg ? null : document.createElement('div'), null, { renderer: isSvg ? 'svg' : 'canvas', ssr: isSvg, width, height });
      chart.setOption(option);
      if (isSvg) give(new Blob([chart.renderToSVGString()], { type: 'image/svg+xml' }), `${name}.svg`);
      else chart.renderToCanvas({ pixelRatio: 2, backgroundColor: token('--bg') }).toBlob(content => give(content, `${name}.png`));
      chart.dispose();
      button.closest('details').open = false;
    });
  }
}
