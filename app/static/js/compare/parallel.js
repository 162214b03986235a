// Every run as a line over settings, costs and results. A range kept on an axis picks the runs in it.
import { draw, token } from '../charts.js';
import { read, write } from './address.js';
import { scaleOf, title, wrapped } from './axes.js';
import { data, runs } from './data.js';
import { look } from './palette.js';
import { savable } from './save.js';
import { onPick, onPoint, pick } from './selection.js';
import { number } from './words.js';

const NARROW = 600;

class Parallel {
  constructor(figure) {
    this.figure = figure;
    this.plot = figure.querySelector('.plot');
    this.boxes = [...figure.querySelectorAll('[data-axis-of]')];
    const asked = read('axes')?.split(',');
    for (const box of this.boxes) {
      if (asked) box.checked = asked.includes(box.value);
      box.addEventListener('change', () => { write('axes', this.#shown().map(one => one.name).join(',')); this.paint(); });
    }
    this.chart = draw(this.plot, () => this.option());
    new ResizeObserver(() => { if (this.narrow !== this.plot.clientWidth < NARROW) this.paint(); }).observe(this.plot);
    savable(figure, () => 'Settings to results', () => this.option());
    this.chart.on('axisareaselected', () => {
      const active = this.chart.getModel().getSeries()[0].getRawIndicesByActiveState('active');
      pick(active.length === runs.length ? [] : active.map(at => runs[at].id), this);
    });
    onPick(by => { if (by === this) this.#later(); else this.paint(); });
    onPoint(id => this.#highlight(id));
  }

  #shown() {
    const chosen = new Set(this.boxes.filter(box => box.checked).map(box => box.value));
    return data.columns.filter(one => chosen.has(one.name));
  }

  /** The lines alone, and not while a range is being drawn: the ranges stay where they are. */
  #later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.chart.setOption({ series: [this.#series()] }), 200);
  }

  paint() { this.chart.setOption(this.option(), true); }

  option() {
    this.narrow = this.plot.clientWidth < NARROW;
    const place = this.narrow ? { layout: 'vertical', left: 112, right: 24, top: 20, bottom: 28 } : { left: 40, right: 56, top: 60, bottom: 24 };
    return {
      animation: false,
      parallel: { ...place, parallelAxisDefault: {
        nameTextStyle: { color: token('--ink-2'), fontSize: 11, lineHeight: 13, fontWeight: 500 }, nameGap: this.narrow ? 10 : 16, nameLocation: this.narrow ? 'start' : 'end', z: 5,
        axisLine: { lineStyle: { color: token('--rule-2') } }, ...(this.narrow && { nameTruncate: { maxWidth: 100 } }), axisTick: { show: false },
        axisLabel: { color: token('--ink-2'), fontSize: 11, margin: 4, backgroundColor: token('--bg'), padding: [1, 2], borderRadius: 2 },
        areaSelectStyle: { color: token('--accent'), opacity: 0.12, borderColor: token('--accent'), width: 16 } } },
      parallelAxis: this.#shown().map((one, dim) => this.#axis(one, dim)),
      series: [this.#series()],
    };
  }

  /** Better is up, or to the right where axes lie on their side. A turned axis begins where the others end. */
  #axis(one, dim) {
    const scale = scaleOf(one), name = this.narrow ? title(one) : wrapped(one);
    if (scale.places) return { dim, name, type: 'category', data: scale.places, axisLabel: { formatter: text => (text.length > 12 ? `${text.slice(0, 11)}…` : text) } };
    const known = one.values.filter(value => value !== null), low = Math.min(...known), high = Math.max(...known), inverse = one.better === 'lower';
    const start = this.narrow ? 'start' : 'end', end = this.narrow ? 'end' : 'start';
    return { dim, name, min: low, max: high, interval: (high - low) / 2 || 1, inverse, nameLocation: inverse ? end : start,
      axisLabel: { formatter: value => number(value, high - low < 2 ? 2 : high - low < 50 ? 1 : 0) } };
  }

  #series() {
    const scales = this.#shown().map(one => ({ one, scale: scaleOf(one) }));
    return { id: 'runs', type: 'parallel', smooth: false, inactiveOpacity: 0.08, activeOpacity: 1,
      emphasis: { lineStyle: { width: 3, opacity: 1 } },
      data: runs.map((run, at) => {
        const { color, dash, width, opacity } = look(run.id);
        const value = scales.map(({ one, scale }) => (one.values[at] === null ? '-' : scale.places ? one.texts[at] : scale.of(at)));
        return { name: run.name, value, lineStyle: { color, type: dash, width, opacity } };
      }) };
  }

  #highlight(id) {
    this.chart.dispatchAction({ type: 'downplay' });
    const place = runs.findIndex(run => run.id === id);
    if (place >= 0) this.chart.dispatchAction({ type: 'highlight', seriesIndex: 0, dataIndex: place });
  }
}

export function startParallel(figure) {
  if (figure && data.columns.length > 1) new Parallel(figure);
}
