// What a setting does: its values side by side, a result above them, and lines between runs that differ in nothing else.
import { draw, line, token } from '../charts.js';
import { read, write } from './address.js';
import { axisOf } from './axes.js';
import { column, data, places, runs } from './data.js';
import { look } from './palette.js';
import { savable } from './save.js';
import { isPicked, onPick, pick, pickedIds } from './selection.js';
import { itemTip } from './tips.js';
import { number } from './words.js';

class Factor {
  constructor(figure, select) {
    this.figure = figure;
    this.plot = figure.querySelector('.plot');
    this.select = select;
    this.factor = data.factors[Number(figure.dataset.factor)];
    this.chart = draw(this.plot, () => this.option());
    savable(figure, () => `${this.result.label} by ${figure.querySelector('b').textContent}`, () => this.option());
    this.chart.on('click', ({ data: { ids } }) => {
      if (!ids) return;
      const others = pickedIds().filter(id => !ids.includes(id));
      pick(ids.every(isPicked) ? others : [...others, ...ids]);
    });
    onPick(() => this.paint());
  }

  get result() { return column(this.select.value); }

  paint() { this.chart.setOption(this.option(), true); }

  /** The mean over the runs of a point, which differ in their seed alone; null where none has a value. */
  #mean(ids) {
    const known = ids.map(id => this.result.values[places.get(id)]).filter(value => value !== null);
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
  }

  option() {
    const texts = [];
    for (const row of this.factor.rows) for (const { text } of row) if (!texts.includes(text)) texts.push(text);
    const order = this.#ordered(texts);
    const values = this.factor.rows.flat().map(({ runs: ids }) => this.#mean(ids));
    const y = axisOf(this.result, { places: null }, true, values);
    return {
      animation: false,
      grid: { left: 48, right: 16, top: 12, bottom: 24 },
      xAxis: axisOf({ label: '', unit: '', better: null }, { places: order }, false),
      yAxis: { ...y, name: '' },
      tooltip: itemTip(({ data: { ids, value } }) => [ids.map(id => runs[places.get(id)].name).join(', '), [this.result.label, `${number(value[1], 6)} ${this.result.unit}`]]),
      series: this.factor.rows.flatMap((row, at) => this.#row(row, at, order)),
    };
  }

  /** As the rows have them, each smallest first; together in an order that suits all. */
  #ordered(texts) {
    const numbers = texts.map(Number);
    return numbers.every(Number.isFinite) ? texts.toSorted((a, b) => a - b) : texts;
  }

  #row(row, at, order) {
    const points = row.map(({ text, runs: ids }) => ({ ids, value: [order.indexOf(text), this.#mean(ids)] })).filter(({ value }) => value[1] !== null);
    const strong = points.some(({ ids }) => ids.some(isPicked)), faded = pickedIds().length > 0 && !strong;
    return [
      line({ id: `line-${at}`, data: points.map(({ value }) => value), color: token(strong ? '--ink' : '--field'), lineStyle: { width: strong ? 2 : 1.25, opacity: faded ? 0.2 : 0.8 }, sampling: undefined }),
      { id: `dots-${at}`, type: 'scatter', z: 5, cursor: 'pointer', symbolSize: 9, data: points.map(one => {
        const { color, opacity } = look(one.ids[0]);
        return { ...one, itemStyle: { color, opacity } };
      }) },
    ];
  }
}

export function startFactors(charts) {
  const select = charts.querySelector('[data-factor-metric]');
  if (!select || !select.options.length) return;
  if (column(read('result'))) select.value = read('result');
  const factors = [...charts.querySelectorAll('[data-factor]')].map(figure => new Factor(figure, select));
  select.addEventListener('change', () => { write('result', select.value); for (const factor of factors) factor.paint(); });
}
