// Curves over each other: one chart a series, all along the same axis and with one cursor.
import { draw, line, token, xAxis, yAxis } from '../charts.js';
import { follow } from './cursor.js';
import { data, history, runs } from './data.js';
import { listen } from './gestures.js';
import { look } from './palette.js';
import { savable } from './save.js';
import { onPick, onPoint } from './selection.js';
import { at, endOf, pairs, smooth, within } from './series.js';
import { look as change, onView, view, xName } from './view.js';
import { axisWriter, logTicks, number } from './words.js';

const SMOOTHED = new Set(['train/loss', 'train/grad_norm', 'train/tokens_per_second', 'system/memory']);
const MOST_LABELS = 8, LABEL_WIDTH = 90, LABEL_HEIGHT = 13, NARROW = 480, BELOW = 40;
const names = new Map(runs.map(run => [run.id, run.name]));
const curves = [];

/** The end of the longest run in any chart, so that all charts have the same width of time. */
const wholeLength = () => Math.max(0, ...curves.map(curve => curve.end()));

class Curve {
  #series = new Map();
  #lowered = new Map(); // end labels that would cover another, and by how much they are moved
  #finer = null; // what was asked for again, of the part that is in view

  constructor(figure) {
    this.figure = figure;
    this.plot = figure.querySelector('.plot');
    this.info = data.curves.find(one => one.name === figure.dataset.curve);
    this.points = new Map();
  }

  async load() {
    this.#series = await history(this.info.name, this.info.runs);
    if (view.axis === null) this.#chooseAxis();
    this.#compute();
    this.chart = draw(this.plot, () => this.option());
    listen(this.plot, this, follow(this.plot, this), range => change({ zoom: range && this.#clamped(range) }));
    savable(this.figure, () => [this.info.label, this.info.unit].filter(Boolean).join(', '), () => this.option());
    new ResizeObserver(() => this.paint()).observe(this.plot);
    for (const other of curves) other.paint(); // it may be longer than those before it
  }

  /** Runs that make different numbers of steps are laid over each other by epochs. */
  #chooseAxis() {
    const ends = new Set([...this.#series.values()].map(series => series.steps.at(-1)));
    change({ axis: ends.size > 1 ? 'epoch' : 'step' });
  }

  paint() {
    if (!this.chart) return;
    this.#compute();
    this.chart.setOption(this.option(), true);
    this.#spread();
    this.#say();
  }

  /** Moves end labels apart, so that none covers another: down, and up again where they would lie over the axis. */
  #spread() {
    this.#lowered.clear();
    if (!this.#isLabelled()) return;
    const ends = [...this.points].filter(([, points]) => points.length && points.at(-1)[1] !== null)
      .map(([id, points]) => [id, this.chart.convertToPixel({ gridIndex: 0 }, endOf(points, this.range()[1]))]).sort((a, b) => a[1][1] - b[1][1]);
    const near = (labels, left) => labels.filter(other => Math.abs(other.left - left) < LABEL_WIDTH);
    const placed = [], settled = [];
    for (const [id, [left, top]] of ends) {
      placed.push({ id, left, end: top, top: Math.max(top, ...near(placed, left).map(other => other.top + LABEL_HEIGHT)) });
    }
    const lowest = this.chart.getHeight() - BELOW - LABEL_HEIGHT / 2;
    for (const label of placed.reverse()) {
      label.top = Math.min(label.top, lowest, ...near(settled, label.left).map(other => other.top - LABEL_HEIGHT));
      settled.push(label);
      this.#lowered.set(label.id, label.top - label.end);
    }
    this.chart.setOption({ series: [...this.#lowered].map(([id, by]) => ({ id: String(id), endLabel: { offset: [0, by] } })) });
  }

  #isLabelled() { return this.info.large && this.points.size <= MOST_LABELS && this.plot.clientWidth > NARROW; }

  /** As it is looked at now. Zoomed into a series of which only some points are here, the others are asked for. */
  async turn() {
    this.#finer = null;
    this.paint();
    const zoom = view.zoom, coarse = [...this.#series.values()].filter(series => series.sampled);
    if (!zoom || !coarse.length) return;
    const axis = view.axis;
    const steps = coarse.flatMap(series => {
      const places = pairs(series, axis, 1, false).map(([x], place) => [x, series.steps[place]]).filter(([x]) => x >= zoom[0] && x <= zoom[1]);
      return places.map(([, step]) => step);
    });
    if (!steps.length) return;
    const found = await history(this.info.name, coarse.map(series => series.run), [Math.min(...steps), Math.max(...steps)]);
    if (zoom !== view.zoom) return; // somebody has gone on
    this.#finer = found;
    this.paint();
  }

  end() {
    const ends = [...this.#series.values()].map(series => pairs(series, view.axis ?? 'step', 1, false).at(-1)?.[0] ?? 0);
    return Math.max(0, ...ends);
  }

  #now() { return new Map([...this.#series, ...(this.#finer ?? [])]); }

  #compute() {
    const weight = SMOOTHED.has(this.info.name) ? view.smooth / 100 : 0;
    this.points.clear();
    for (const [id, series] of this.#now()) {
      const raw = pairs(series, view.axis ?? 'step', this.info.scale, view.log);
      this.points.set(id, within(weight ? smooth(raw, weight) : raw, this.range()));
    }
  }

  #say() {
    const coarse = [...this.#now().values()].filter(series => series.sampled);
    const most = coarse.reduce((a, b) => (a && a.points > b.points ? a : b), null);
    const words = [
      this.info.large && SMOOTHED.has(this.info.name) && view.smooth > 0 && 'smoothed',
      most && `sampled: ${number(most.steps.length)} of ${number(most.points)}`,
    ];
    const note = this.figure.querySelector('[data-note]');
    note.textContent = words.filter(Boolean).join(', ');
    note.title = most ? 'Of the longest run so many points are drawn, its peaks and dips among them. Zoom in for all points.' : '';
  }

  range() { return view.zoom ?? [0, wholeLength()]; }

  #clamped([from, to]) {
    const end = wholeLength(), range = [Math.max(0, from), Math.min(end, to)];
    return range[0] <= 0 && range[1] >= end ? null : range[1] - range[0] > end / 1e4 ? range : view.zoom;
  }

  option() {
    const [from, to] = this.range();
    const labelled = this.#isLabelled();
    return {
      animation: false,
      grid: { left: 52, right: labelled ? 96 : 16, top: 12, bottom: BELOW },
      xAxis: xAxis({ min: from, max: to || 1, name: xName(), nameLocation: 'middle', nameGap: 24, nameTextStyle: { fontSize: 11, color: token('--ink-3') },
        splitNumber: this.info.large ? 6 : 3, axisLabel: { formatter: axisWriter(from, to), showMinLabel: true, showMaxLabel: view.zoom === null } }),
      yAxis: this.#yAxis(),
      series: this.info.runs.filter(id => this.points.has(id)).map(id => this.#line(id, labelled)),
    };
  }

  #yAxis() {
    const seen = [...this.points.values()].flat().map(([, y]) => y).filter(y => y !== null);
    const low = seen.reduce((a, b) => Math.min(a, b), Infinity), high = seen.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!view.log || !(high > low)) return yAxis({ axisLabel: { formatter: axisWriter(low, high) } });
    const customValues = logTicks(low, high);
    return yAxis({ type: 'log', min: low, max: high, axisLabel: { formatter: value => number(value), customValues }, axisTick: { show: false, customValues }, splitLine: { show: false } });
  }

  #line(id, labelled) {
    const { color, dash, width, opacity, z } = look(id), points = this.points.get(id);
    return line({
      id: String(id), name: names.get(id), data: points, color, z, connectNulls: false,
      lineStyle: { width, type: dash, opacity }, itemStyle: { opacity },
      showSymbol: points.length <= 30, symbol: 'circle', symbolSize: 5, sampling: undefined,
      emphasis: { focus: 'series', lineStyle: { width: 2.75, opacity: 1, color: color === token('--ink-3') ? token('--ink') : color } },
      blur: { lineStyle: { opacity: 0.12 }, itemStyle: { opacity: 0.12 }, endLabel: { opacity: 0.3 } },
      endLabel: { show: labelled, formatter: `{dot|●} ${names.get(id).slice(0, 14)}`, rich: { dot: { color, fontSize: 9 } }, fontSize: 11,
        color: token('--ink-2'), distance: 6, offset: [0, this.#lowered.get(id) ?? 0], opacity: opacity < 0.4 ? 0.4 : 1, textBorderColor: token('--bg'), textBorderWidth: 4 },
    });
  }

  /* What cursor and gestures ask for. */

  toX(x) {
    const [from, to] = this.range();
    return this.chart && x >= from && x <= to ? this.chart.convertToPixel({ xAxisIndex: 0 }, x) : null;
  }

  toY(y) { return this.chart.convertToPixel({ yAxisIndex: 0 }, y); }

  fromX(left, outside = 0.02) {
    const x = this.chart.convertFromPixel({ xAxisIndex: 0 }, left), [from, to] = this.range(), slack = (to - from) * outside;
    return x < from - slack || x > to + slack ? null : Math.min(to, Math.max(from, x));
  }

  valuesAt(x) {
    const found = [];
    for (const [id, points] of this.points) {
      const reach = points.length > 1 ? 0.75 * Math.max((points.at(-1)[0] - points[0][0]) / (points.length - 1), (this.range()[1] - this.range()[0]) / 400) : Infinity;
      const value = at(points, x, reach);
      if (value !== null) found.push([id, value]);
    }
    return found;
  }

  nearest(left, top, reach) {
    const x = this.chart.convertFromPixel({ xAxisIndex: 0 }, left);
    const found = this.valuesAt(x).map(([id, value]) => [id, Math.abs(this.toY(value) - top)]).sort((a, b) => a[1] - b[1])[0];
    return found && found[1] <= reach ? found[0] : null;
  }

  write(value) { return number(value, Math.abs(value) < 0.001 ? 6 : Math.max(this.info.decimals, this.info.unit === 'GB' || this.info.large ? 2 : 0)); }

  place(x) { return view.axis === 'time' ? `${number(x, 1)} min` : `${view.axis} ${number(x, view.axis === 'epoch' ? 2 : 0)}`; }

  highlight(id) {
    this.chart?.dispatchAction({ type: 'downplay' });
    if (id !== null && this.points.has(id)) this.chart?.dispatchAction({ type: 'highlight', seriesId: String(id) });
  }
}

/** Each chart is drawn when it comes near the screen. */
export function startCurves(section) {
  const seen = new IntersectionObserver(entries => {
    for (const entry of entries.filter(one => one.isIntersecting)) {
      seen.unobserve(entry.target);
      const curve = new Curve(entry.target);
      curves.push(curve);
      curve.load().then(() => curve.paint()).catch(error => { curve.figure.querySelector('[data-note]').textContent = `not drawn: ${error.message}`; });
    }
  }, { rootMargin: '300px' });
  section.querySelectorAll('[data-curve]').forEach(figure => seen.observe(figure));
  onView(() => { for (const curve of curves) curve.turn(); });
  onPick(() => { for (const curve of curves) curve.paint(); });
  onPoint(id => { for (const curve of curves) curve.highlight(id); });
}

