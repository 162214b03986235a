// Any two columns against each other; where both have a better side, the front that no run is beyond.
import { draw, line, token } from '../charts.js';
import { read, write } from './address.js';
import { axisOf, scaleOf } from './axes.js';
import { column, data, runs } from './data.js';
import { look } from './palette.js';
import { savable } from './save.js';
import { isPicked, onPick, onPoint, pick, point, toggle } from './selection.js';
import { itemTip } from './tips.js';

const MOST_NAMES = 12, DRAG = 6;

/** As good in both, better in one. */
const beats = (a, b) => a.every((value, at) => value <= b[at]) && a.some((value, at) => value < b[at]);

export function frontOf(x, y) {
  if (!x.better || !y.better) return [];
  const turned = runs.map((_, at) => [x, y].map(one => (one.values[at] === null ? null : one.better === 'lower' ? one.values[at] : -one.values[at])));
  const known = runs.map((_, at) => at).filter(at => !turned[at].includes(null));
  return known.filter(at => !known.some(other => beats(turned[other], turned[at])));
}

class Scatter {
  constructor(figure) {
    this.figure = figure;
    this.plot = figure.querySelector('.plot');
    this.selects = { x: figure.querySelector('[data-x]'), y: figure.querySelector('[data-y]') };
    for (const [name, select] of Object.entries(this.selects)) {
      if (column(read(name))) select.value = read(name);
      select.addEventListener('change', () => { write(name, select.value); this.paint(); });
    }
    this.chart = draw(this.plot, () => this.option());
    this.#listen();
    savable(figure, () => `${this.y.label} against ${this.x.label}`, () => this.option());
    this.#say();
    onPick(() => this.paint());
    onPoint(id => this.#highlight(id));
  }

  get x() { return column(this.selects.x.value); }
  get y() { return column(this.selects.y.value); }

  paint() {
    this.chart.setOption(this.option(), true);
    this.#say();
  }

  #say() {
    const front = frontOf(this.x, this.y), missing = runs.filter((_, at) => this.x.values[at] === null || this.y.values[at] === null).length;
    const words = [
      front.length && `Line: no run is better in both ${this.x.label} and ${this.y.label} than those on it.`,
      missing && `${missing} of ${runs.length} runs have no value in one of the two, or none that compares with the baseline's.`,
      'Drag over points to pick their runs.',
    ];
    this.figure.querySelector('[data-front]').textContent = words.filter(Boolean).join(' ');
  }

  #points() {
    const x = scaleOf(this.x), y = scaleOf(this.y);
    return runs.map((run, at) => ({ run, at, value: [x.of(at), y.of(at)] })).filter(({ value }) => !value.includes(null));
  }

  option() {
    const points = this.#points(), few = points.length <= MOST_NAMES;
    const front = new Set(frontOf(this.x, this.y)), edge = points.filter(({ at }) => front.has(at)).map(({ value }) => value).sort((a, b) => a[0] - b[0]);
    return {
      animation: false,
      grid: { left: 60, right: 24, top: 16, bottom: 44 },
      xAxis: axisOf(this.x, scaleOf(this.x), false),
      yAxis: axisOf(this.y, scaleOf(this.y), true),
      tooltip: itemTip(({ data: { at } }) => [runs[at].name, [this.y.label, `${this.y.texts[at]} ${this.y.unit}`], [this.x.label, `${this.x.texts[at]} ${this.x.unit}`]]),
      series: [
        line({ id: 'front', data: edge, color: token('--rule-2'), step: this.x.better === 'higher' ? 'start' : 'end', lineStyle: { width: 1.5 }, sampling: undefined }),
        { id: 'runs', type: 'scatter', z: 5, cursor: 'pointer', emphasis: { focus: 'self', scale: 1.4 }, blur: { itemStyle: { opacity: 0.2 } },
          labelLayout: { hideOverlap: true, moveOverlap: 'shiftY' }, data: points.map(one => this.#item(one, few)) },
      ],
    };
  }

  #item({ run, at, value }, few) {
    const { color, opacity } = look(run.id), shown = few || isPicked(run.id);
    return { id: String(run.id), name: run.name, at, value, symbolSize: isPicked(run.id) ? 13 : 10,
      symbol: run.is_baseline ? 'diamond' : 'circle', itemStyle: { color, opacity },
      label: { show: shown, position: 'right', distance: 6, formatter: run.name.slice(0, 18), color: token('--ink-2'), fontSize: 11, opacity: Math.max(0.35, opacity), textBorderColor: token('--bg'), textBorderWidth: 3 } };
  }

  #highlight(id) {
    this.chart.dispatchAction({ type: 'downplay' });
    const place = this.#points().findIndex(({ run }) => run.id === id);
    if (place >= 0) this.chart.dispatchAction({ type: 'highlight', seriesId: 'runs', dataIndex: place });
  }

  #listen() {
    this.chart.on('click', ({ data: { at } }) => { if (at !== undefined) toggle(runs[at].id); });
    this.chart.on('mouseover', event => { if (event.data?.at !== undefined) point(runs[event.data.at].id); });
    this.chart.on('mouseout', () => point(null));
    let start = null;
    const band = Object.assign(document.createElement('div'), { className: 'zoom-band', hidden: true });
    this.plot.append(band);
    const place = event => { const box = this.plot.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    const span = (a, b) => [Math.min(a, b), Math.max(a, b)];
    this.plot.addEventListener('pointerdown', event => { if (event.button === 0 && event.pointerType !== 'touch') { start = place(event); event.preventDefault(); } });
    addEventListener('pointermove', event => {
      if (!start) return;
      const [[left, right], [top, bottom]] = place(event).map((value, at) => span(value, start[at]));
      band.hidden = right - left < DRAG && bottom - top < DRAG;
      Object.assign(band.style, { left: `${left}px`, width: `${right - left}px`, top: `${top}px`, height: `${bottom - top}px` });
    });
    addEventListener('pointerup', event => {
      if (!start) return;
      const [xs, ys] = place(event).map((value, at) => span(value, start[at]));
      start = null;
      if (band.hidden) return;
      band.hidden = true;
      const inside = this.#points().filter(({ value }) => {
        const [left, top] = this.chart.convertToPixel({ gridIndex: 0 }, value);
        return left >= xs[0] && left <= xs[1] && top >= ys[0] && top <= ys[1];
      });
      pick(inside.map(({ run }) => run.id), this);
    });
  }
}

export function startScatter(figure) {
  if (figure && data.columns.length > 1) new Scatter(figure);
}
