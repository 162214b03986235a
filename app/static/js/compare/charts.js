// The charts of the page that compares runs.
import { startCurves } from './curves.js';
import { startFactors } from './factors.js';
import { startLegend } from './legend.js';
import { startParallel } from './parallel.js';
import { startScatter } from './scatter.js';
import { startControls } from './view.js';

const charts = document.querySelector('[data-charts]');
if (charts) {
  for (const part of charts.querySelectorAll('[data-scripted]')) part.hidden = false;
  startLegend();
  if (charts.querySelector('[data-curve]')) { startControls(charts); startCurves(charts); }
  startParallel(charts.querySelector('[data-parallel]'));
  startScatter(charts.querySelector('[data-scatter]'));
  startFactors(charts);
}
