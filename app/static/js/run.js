// The page of a run, kept up to date: what changed is fetched when the server says so, and now and then without a
// word from it (a stream may be down). What has not changed is not touched.
import { onEvent } from './live.js';
import { morph } from './morph.js';
import { RunLog } from './run_log.js';

const BUSY_MS = 700; // at most one refresh in this time
const QUIET_MS = 5000; // ask without being told to after this time, while the run has not ended

const page = () => document.getElementById('run');
let charts = null;
let log = null;

async function begin() {
  log = new RunLog(page());
  charts = null;
  if (!page().querySelector('#charts')) return;
  const { RunCharts } = await import('./run_charts.js');
  charts = new RunCharts(page());
  await charts.start();
}

async function fetchPage(query) {
  const here = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(query)) here.set(name, value);
  const answer = await fetch(`/runs/${page().dataset.run}/live?${here}`, { headers: { Accept: 'text/html' } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const part = document.createElement('template');
  part.innerHTML = await answer.text();
  return part.content.querySelector('#run');
}

async function refresh() {
  const fresh = await fetchPage({ keep: 'true' });
  if (fresh.dataset.layout !== page().dataset.layout || fresh.dataset.attempt !== page().dataset.attempt) {
    page().replaceWith(await fetchPage({})); // other parts, or other points: begin again
    page().dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
    await begin();
    return;
  }
  morph(page(), fresh);
  page().dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
  await Promise.all([charts?.more(), log.more()]);
}

// A form that somebody types in is not pulled away.
const isTyping = () => page().querySelector('details[open] :is(input, textarea):focus') !== null;

let asked = 0;
let busy = false;
let again = false; // something changed while busy
async function refreshNow() {
  if (busy || document.hidden || isTyping()) { again = true; return; }
  [busy, again, asked] = [true, false, Date.now()];
  // Where the server is away, the next quiet moment asks again.
  await refresh().catch(() => {});
  busy = false;
  if (again) refreshSoon();
}

let timer = null;
function refreshSoon() {
  timer ??= setTimeout(() => { timer = null; refreshNow(); }, Math.max(0, asked + BUSY_MS - Date.now()));
}

onEvent(news => { if (news.run === Number(page().dataset.run)) refreshSoon(); });
document.addEventListener('visibilitychange', () => { if (again) refreshSoon(); });
setInterval(() => {
  const ended = page().dataset.ended === 'true';
  if (again || (!ended && Date.now() - asked > QUIET_MS)) refreshSoon();
}, 1000);
begin().catch(() => { /* no charts: the drawn curve and its table stay */ });
