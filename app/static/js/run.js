// The page of a run, kept up to date by events: points go into the charts, the figures are asked for, and only where
// the run's state has changed the whole page is. What has not changed is not touched.
import { onEvent, onPoll } from './live.js';
import { morph } from './morph.js';
import { RunLog } from './run_log.js';

const BUSY_MS = 700; // at most one refresh in this time

const page = () => document.getElementById('run');
let charts = null;
let log = null;

async function begin() {
  log = new RunLog(page());
  charts = null;
  const values = page().querySelector('[data-values]');
  values?.addEventListener('toggle', event => { if (event.target.open) refreshPart(values, values.dataset.values); }, true);
  if (!page().querySelector('#charts')) return;
  const { RunCharts } = await import('./run_charts.js');
  charts = new RunCharts(page());
  await charts.start();
}

async function fetchPart(address) {
  const answer = await fetch(address, { headers: { Accept: 'text/html' } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const part = document.createElement('template');
  part.innerHTML = await answer.text();
  return part.content;
}

function tellRefreshed(part) { part.dispatchEvent(new CustomEvent('refreshed', { bubbles: true })); }

/** Bring what is in `box` to what the address answers. */
async function refreshPart(box, address) {
  const fresh = box.cloneNode(false);
  fresh.append(await fetchPart(address));
  morph(box, fresh);
  tellRefreshed(box);
}

const address = name => `/runs/${page().dataset.run}/${name}`;

async function fetchPage(query) {
  const here = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(query)) here.set(name, value);
  return (await fetchPart(`${address('live')}?${here}`)).querySelector('#run');
}

async function startAnew() {
  page().replaceWith(await fetchPage({}));
  tellRefreshed(page());
  await begin();
}

async function refreshPage() {
  const fresh = await fetchPage({ keep: 'true' });
  // Other parts, or other points.
  if (fresh.dataset.layout !== page().dataset.layout || fresh.dataset.attempt !== page().dataset.attempt) return startAnew();
  morph(page(), fresh);
  tellRefreshed(page());
  charts?.repaint();
}

async function refreshFigures() {
  const box = page().querySelector('[data-figures]');
  if (box) await refreshPart(box, address('figures'));
}

// A form that somebody types in is not pulled away.
const isTyping = () => page().querySelector('details[open] :is(input, textarea):focus') !== null;

const wanted = new Set(); // of what has changed: page, figures, points, log, anew
const DO = {
  anew: startAnew,
  page: refreshPage,
  figures: refreshFigures,
  points: () => charts?.fetchMissing(),
  log: () => log.more(),
};

let asked = 0;
let busy = false;
async function refreshNow() {
  if (busy || document.hidden || isTyping() || !wanted.size) return;
  [busy, asked] = [true, Date.now()];
  const now = [...wanted];
  wanted.clear();
  // Where the server is away, the poll asks again.
  for (const part of now) await Promise.resolve(DO[part]()).catch(() => {});
  busy = false;
  if (wanted.size) refreshSoon();
}

let timer = null;
function refreshSoon(...parts) {
  for (const part of parts) wanted.add(part);
  timer ??= setTimeout(() => { timer = null; refreshNow(); }, Math.max(0, asked + BUSY_MS - Date.now()));
}

/** What of the run makes the page another one; as data-state has it of the page that is shown. */
const state = ({ status, stage, attempt, cancel_requested, warnings }) => [status, stage ?? '', attempt, cancel_requested, warnings].join('|');

let logBytes = null;
onEvent(news => {
  if (news.run !== Number(page().dataset.run)) return;
  if (news.truncated) refreshSoon('points');
  else if (charts && !charts.take(news.points ?? {})) refreshSoon('anew');
  refreshSoon(state(news) === page().dataset.state ? 'figures' : 'page');
  if (news.log_bytes !== logBytes) refreshSoon('log');
  logBytes = news.log_bytes;
});
onPoll(() => refreshSoon('page', 'points', 'log'));
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  charts?.repaint();
  refreshSoon();
});
setInterval(() => { if (wanted.size) refreshSoon(); }, 1000); // what had to wait for somebody who typed
begin().catch(() => { /* no charts: the drawn curves and their table stay */ });
