// The charts of a run's page: every series against step, epoch or time; new points are appended, nothing is redrawn.
import { colour, draw, line, tooltip, xAxis, yAxis } from './charts.js';
import { RunSeries, Series, fetchSeries, smooth } from './run_series.js';

const ONE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const TENTHS = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 2 });
const WHOLE = new Intl.NumberFormat('en');
const typographic = text => text.replace('-', '−');
const number = value => typographic(ONE.format(value));
/** A value in little room: 2,128; 18.7; 0.42; 2e−4. */
function short(value) {
  const size = Math.abs(value);
  if (size && size < 1e-3) return typographic(value.toExponential(1).replace('.0e', 'e'));
  return typographic(size >= 100 ? WHOLE.format(Math.round(value)) : `${Number(value.toPrecision(3))}`);
}

export class RunCharts {
  #baseline = null;
  #charts = new Map();
  #view = { axis: 'step', smooth: 0.86, log: false };
  #early = []; // points of events that came while the series were read

  constructor(page) {
    this.page = page;
    this.series = new RunSeries(page.dataset.run);
  }

  async start() {
    await this.series.fetch();
    const { baseline, run } = this.page.dataset;
    if (baseline && baseline !== run) {
      const [found] = await fetchSeries(baseline, '&name=train/loss');
      if (found) { this.#baseline = new Series(); this.#baseline.add(found); }
    }
    for (const points of this.#early) this.series.take(points);
    this.#early = null;
    for (const scripted of this.page.querySelectorAll('#charts [data-scripted]')) scripted.hidden = false;
    this.#controls();
    this.#paint();
  }

  /** The points of an event; false where one is of a series that the page has no place for. */
  take(points) {
    if (this.#early) { this.#early.push(points); return true; }
    this.series.take(points);
    if (!document.hidden) this.#paint();
    return Object.keys(points).every(name => this.#isShown(name));
  }

  async fetchMissing() {
    await this.series.fetchMissing();
    this.#paint();
  }

  repaint() { this.#paint(); }

  #isShown(name) {
    return ['train/loss', 'eval/loss', 'validation/loss'].includes(name)
      || this.page.querySelector(`[data-chart="${CSS.escape(name)}"]`) !== null;
  }

  #paint() {
    for (const figure of this.page.querySelectorAll('[data-chart]')) {
      const name = figure.dataset.chart;
      if (!this.series.get(name === 'loss' ? 'train/loss' : name)) continue;
      const chart = this.#charts.get(name);
      const make = () => (name === 'loss' ? this.#loss() : this.#small(figure));
      if (chart) chart.setOption(make());
      else this.#charts.set(name, draw(figure.querySelector('.plot'), make));
    }
    const memory = this.page.querySelector('[data-memory-name]'); // known once the worker has said what it runs on
    if (memory) this.page.querySelector('[data-chart="system/memory"] b').textContent = memory.textContent;
    this.page.querySelector('[data-key=baseline]').hidden = !this.#baseline;
    this.page.querySelector('[data-key=validation]').hidden = !this.series.get('validation/loss');
    this.#saySampled();
  }

  #saySampled() {
    const note = this.page.querySelector('[data-sampled]');
    const [most] = this.series.sampled.sort((one, other) => other.points - one.points);
    note.hidden = !most;
    if (most) {
      note.textContent = `Sampled: these curves are drawn with ${WHOLE.format(most.steps.length)} of `
        + `${WHOLE.format(most.points)} points, the smallest and largest of each stretch among them.`;
    }
  }

  #pairs(name) { return this.series.get(name)?.pairs(this.#view.axis) ?? []; }

  #xEnd() {
    const total = Number(this.page.dataset.total);
    return this.#view.axis === 'step' && total ? total : 'dataMax';
  }

  #place(x) {
    const { axis } = this.#view;
    return axis === 'step' ? `step ${number(x)}` : axis === 'epoch' ? `epoch ${number(x)}` : `${number(x)} min`;
  }

  #loss() {
    const { smooth: weight, log } = this.#view;
    const train = this.#pairs('train/loss');
    const baseline = this.#baseline ? smooth(this.#baseline.pairs(this.#view.axis), weight) : [];
    const dotted = { showSymbol: true, symbol: 'circle', symbolSize: 6, sampling: undefined };
    return {
      grid: { left: 36, right: 20, top: 12, bottom: 28 },
      xAxis: xAxis({ min: 0, max: this.#xEnd(), axisLabel: { formatter: number } }),
      yAxis: yAxis({ type: log ? 'log' : 'value', axisLabel: { formatter: value => TENTHS.format(value) } }),
      tooltip: tooltip(points => [
        this.#place(points[0].axisValue),
        ...points.filter(p => p.seriesId !== 'raw' && p.value[1] !== null)
          .map(p => [p.seriesName, p.value[1].toFixed(3), p.color]),
      ]),
      series: [
        line({ id: 'baseline', name: this.page.dataset.baselineName, data: baseline, color: colour('b'), lineStyle: { width: 1.25, type: [4, 3] } }),
        line({ id: 'raw', name: 'step by step', data: train, color: colour(1), lineStyle: { width: 1, opacity: 0.25 } }),
        line({ id: 'train', name: 'training', data: smooth(train, weight), color: colour(1), lineStyle: { width: 2 } }),
        line({ id: 'validation', name: 'validation', data: this.#pairs('validation/loss'), color: colour(3), lineStyle: { width: 1.5 }, ...dotted }),
        line({ id: 'held', name: 'held-out', data: this.#pairs('eval/loss'), color: colour(2), lineStyle: { width: 1.5 }, ...dotted }),
      ],
    };
  }

  #small(figure) {
    const { chart: name, divide, unit, fromZero } = figure.dataset;
    const data = this.series.get(name).pairs(this.#view.axis, Number(divide));
    const few = data.length <= 40 ? { showSymbol: true, symbol: 'circle', symbolSize: 4 } : {};
    return {
      grid: { left: 42, right: 12, top: 10, bottom: 22 },
      xAxis: xAxis({ min: 0, max: this.#xEnd(), splitNumber: 2, axisLabel: { formatter: number } }),
      yAxis: yAxis({ ...(fromZero !== undefined && { min: 0 }), splitNumber: 3, axisLabel: { formatter: short } }),
      tooltip: tooltip(points => [this.#place(points[0].axisValue), [`${short(points[0].value[1])} ${unit}`.trim()]]),
      series: [line({ id: name, data, color: colour(1), lineStyle: { width: 1.25 }, ...few })],
    };
  }

  #controls() {
    const change = values => { Object.assign(this.#view, values); this.#paint(); };
    const charts = this.page.querySelector('#charts');
    for (const button of charts.querySelectorAll('[data-axis]')) {
      button.addEventListener('click', () => {
        for (const other of charts.querySelectorAll('[data-axis]')) other.setAttribute('aria-pressed', other === button);
        charts.querySelector('[data-axis-name]').textContent = { step: 'step', epoch: 'epoch', time: 'minutes of training' }[button.dataset.axis];
        change({ axis: button.dataset.axis });
      });
    }
    charts.querySelector('[data-smooth]').addEventListener('input', event => change({ smooth: event.target.value / 100 }));
    charts.querySelector('[data-log-axis]').addEventListener('change', event => change({ log: event.target.checked }));
  }
}
