// Thin layer over echarts: colours from the tokens, tooltips of elements with classes (the page's CSP drops style
// attributes in markup), no animation.
import * as echarts from '../vendor/echarts.esm.min.mjs';

export const token = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const colour = slot => token(`--s${slot}`);

const drawn = new Map(); // chart -> paint

/** Draw `make()` into the plot, in place of what the server drew, and again when the theme or the width changes. */
export function draw(plot, make) {
  const box = document.createElement('div');
  box.className = 'canvas';
  plot.replaceChildren(box);
  const chart = echarts.init(box, null, { renderer: 'canvas' });
  const paint = () => chart.setOption({ textStyle: { fontFamily: token('--sans') }, animation: false, ...make() }, true);
  paint();
  drawn.set(chart, paint);
  new ResizeObserver(() => {
    if (plot.isConnected) { chart.resize(); return; }
    drawn.delete(chart);
    chart.dispose();
  }).observe(plot);
  return chart;
}

document.addEventListener('themechange', () => { for (const paint of drawn.values()) paint(); });

const text = () => ({ fontFamily: token('--sans'), fontSize: 11, color: token('--ink-3') });

export const yAxis = (own = {}) => ({
  type: 'value', scale: true, splitNumber: 4, axisLine: { show: false }, axisTick: { show: false },
  splitLine: { show: true, lineStyle: { color: token('--rule'), width: 1 } }, ...own,
  axisLabel: { ...text(), hideOverlap: true, ...own.axisLabel },
});

export const xAxis = (own = {}) => ({
  type: 'value', splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: token('--rule-2') } },
  axisTick: { show: true, length: 3, lineStyle: { color: token('--rule-2') } }, ...own,
  axisLabel: { ...text(), hideOverlap: true, ...own.axisLabel },
});

export const line = own => ({
  type: 'line', showSymbol: false, sampling: 'minmax', silent: true, ...own, lineStyle: { width: 1.75, ...own.lineStyle },
});

function row(parts, heading) {
  const [name, value, dot] = [parts].flat();
  const element = document.createElement(heading ? 'b' : 'div');
  const say = words => { const span = document.createElement('span'); span.textContent = words; element.append(span); return span; };
  const label = say(name);
  if (dot) { const mark = document.createElement('i'); mark.style.background = dot; label.prepend(mark); }
  if (value !== undefined) say(value);
  return element;
}

/** `rows(points)` gives a heading, then [name, value, colour] each. */
export const tooltip = rows => ({
  trigger: 'axis', confine: true, transitionDuration: 0, borderWidth: 1, padding: [6, 10],
  backgroundColor: token('--raised'), borderColor: token('--rule-2'),
  textStyle: { color: token('--ink'), fontSize: 12, fontFamily: token('--sans') },
  axisPointer: { lineStyle: { color: token('--rule-2'), type: 'solid' }, label: { show: false } },
  formatter: points => {
    const box = document.createElement('div');
    box.className = 'tip';
    for (const [number, parts] of rows([points].flat()).entries()) box.append(row(parts, number === 0));
    return box;
  },
});
