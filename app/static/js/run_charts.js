// The charts of a run's page: its series against step, epoch or time; new points are appended, nothing is redrawn.
import { colour, draw, line, tooltip, xAxis, yAxis } from './charts.js';

const MOST_POINTS = 2000;
const ONE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const TENTHS = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 2 });
const number = value => ONE.format(value).replace('-', '−');

// How the small charts write their values, and what a stored value is divided by.
const SMALL = {
  'train/learning_rate': { write: value => (value ? value.toExponential(1).replace('.0e', 'e') : '0') },
  'train/grad_norm': {},
  'train/tokens_per_second': {},
  'system/memory': { divide: 1e9 },
};

class Series {
  steps = []; values = []; times = []; epochs = [];

  add(more) {
    const last = this.steps.at(-1) ?? -1;
    more.steps.forEach((step, at) => {
      if (step <= last) return;
      this.steps.push(step); this.values.push(more.values[at]); this.times.push(more.times[at]); this.epochs.push(more.epochs[at]);
    });
  }

  /** [x, y] pairs with x in steps, epochs or minutes. */
  pairs(axis, divide = 1) {
    const xs = { step: this.steps, epoch: this.epochs, time: this.times }[axis];
    const scale = axis === 'time' ? 60 : 1;
    return xs.map((x, at) => [x / scale, this.values[at] === null ? null : this.values[at] / divide]);
  }
}

/** Exponential moving average, corrected for its start; a gap stays a gap. */
function smooth(pairs, weight) {
  let average = 0, total = 0;
  return pairs.map(([x, y]) => {
    if (y === null) return [x, null];
    average = weight * average + (1 - weight) * y;
    total = weight * total + (1 - weight);
    return [x, average / total];
  });
}

const fetchSeries = async (run, query) => {
  const answer = await fetch(`/api/v1/runs/${run}/metrics?max_points=${MOST_POINTS}${query}`);
  return answer.ok ? (await answer.json()).series : [];
};

export class RunCharts {
  #series = new Map();
  #baseline = null;
  #charts = new Map();
  #view = { axis: 'step', smooth: 0.86, log: false };

  constructor(page) {
    this.page = page;
    this.run = page.dataset.run;
  }

  async start() {
    await this.#fetch();
    const { baseline } = this.page.dataset;
    if (baseline && baseline !== this.run) {
      const [found] = await fetchSeries(baseline, '&name=train/loss');
      if (found) { this.#baseline = new Series(); this.#baseline.add(found); }
    }
    for (const scripted of this.page.querySelectorAll('#charts [data-scripted]')) scripted.hidden = false;
    this.#controls();
    this.#paint();
  }

  /** Points that came since, appended. */
  async more() {
    // A held-out point is written later than the training point of its step, so it is asked for by its own last step.
    const last = name => this.#series.get(name)?.steps.at(-1) ?? -1;
    await this.#fetch(`&after=${last('train/loss')}`);
    await this.#fetch(`&name=eval/loss&after=${last('eval/loss')}`);
    this.#paint();
  }

  async #fetch(query = '') {
    for (const found of await fetchSeries(this.run, query)) {
      if (!this.#series.has(found.name)) this.#series.set(found.name, new Series());
      this.#series.get(found.name).add(found);
    }
  }

  #paint() {
    for (const figure of this.page.querySelectorAll('[data-chart]')) {
      const name = figure.dataset.chart;
      if (!this.#series.has(name === 'loss' ? 'train/loss' : name)) continue;
      const chart = this.#charts.get(name);
      const make = () => (name === 'loss' ? this.#loss() : this.#small(name));
      if (chart) chart.setOption(make());
      else this.#charts.set(name, draw(figure.querySelector('.plot'), make));
    }
    const memory = this.page.querySelector('[data-memory-name]'); // known once the worker has said what it runs on
    if (memory) this.page.querySelector('[data-chart="system/memory"] b').textContent = memory.textContent;
    this.page.querySelector('[data-key=baseline]').hidden = !this.#baseline;
  }

  #pairs(name) { return this.#series.get(name)?.pairs(this.#view.axis) ?? []; }

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
    const name = this.page.dataset.baselineName;
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
        line({ id: 'baseline', name, data: baseline, color: colour('b'), lineStyle: { width: 1.25, type: [4, 3] } }),
        line({ id: 'raw', name: 'step by step', data: train, color: colour(1), lineStyle: { width: 1, opacity: 0.25 } }),
        line({ id: 'train', name: 'training', data: smooth(train, weight), color: colour(1), lineStyle: { width: 2 } }),
        line({ id: 'held', name: 'held-out', data: this.#pairs('eval/loss'), color: colour(2), lineStyle: { width: 1.5 },
          showSymbol: true, symbol: 'circle', symbolSize: 6, sampling: undefined }),
      ],
    };
  }

  #small(name) {
    const { divide = 1, write = number } = SMALL[name];
    return {
      grid: { left: 42, right: 12, top: 10, bottom: 22 },
      xAxis: xAxis({ min: 0, max: this.#xEnd(), splitNumber: 2, axisLabel: { formatter: number } }),
      yAxis: yAxis({ min: 0, splitNumber: 3, axisLabel: { formatter: write } }),
      tooltip: tooltip(points => [this.#place(points[0].axisValue), [write(points[0].value[1])]]),
      series: [line({ id: name, data: this.#series.get(name).pairs(this.#view.axis, divide), color: colour(1), lineStyle: { width: 1.25 } })],
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
