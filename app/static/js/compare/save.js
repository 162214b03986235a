// A chart as a file: drawn once more off the page, with its title and a key of the runs that have a colour.
import * as echarts from '../../vendor/echarts.esm.min.mjs';
import { token } from '../charts.js';
import { runs } from './data.js';
import { look, slotOf } from './palette.js';

const HEAD = 64;
const MOST_KEYS = 12;

function keyed(option, title, width) {
  const own = runs.filter(run => slotOf(run.id)).slice(0, MOST_KEYS);
  const text = { fontFamily: token('--sans'), color: token('--ink') };
  const marks = own.map((run, place) => {
    const { color, dash } = look(run.id), columns = Math.max(1, Math.floor((width - 24) / 150));
    const x = 12 + 150 * (place % columns), y = 34 + 16 * Math.floor(place / columns);
    const name = run.name.length > 18 ? `${run.name.slice(0, 17)}…` : run.name;
    return { type: 'group', children: [
      { type: 'line', shape: { x1: x, x2: x + 18, y1: y + 6, y2: y + 6 }, style: { stroke: color, lineWidth: 3, lineDash: dash === 'solid' ? null : dash } },
      { type: 'text', style: { x: x + 24, y, text: name, fill: token('--ink-2'), font: `11px ${token('--sans')}` } },
    ] };
  });
  return {
    ...option, animation: false, backgroundColor: token('--bg'), textStyle: { fontFamily: token('--sans') },
    title: { text: title, left: 12, top: 8, textStyle: { ...text, fontSize: 13, fontWeight: 600 } },
    graphic: marks,
  };
}

function lowered(option, by) {
  const lower = part => part && { ...part, top: (part.top ?? 12) + by };
  return { ...option, grid: lower(option.grid), parallel: lower(option.parallel) };
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
      const plot = figure.querySelector('.plot'), width = plot.clientWidth, height = plot.clientHeight + HEAD;
      const name = title().toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
      const option = lowered(keyed(make(), title(), width), HEAD - 12);
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
