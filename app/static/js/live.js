// Live parts: an element with data-live="/address" holds what that address answers; when the server says that
// something changed, it is asked for again. No stream is opened where no part is live.
import { morph } from './morph.js';
import { follow } from './stream.js';

const BUSY_MS = 2000; // at most one refresh in this time
const POLL_MS = 5000; // while the stream is down

const parts = () => [...document.querySelectorAll('[data-live]')];
const listeners = new Set();
const refreshers = new Set();
const pollers = new Set();

/** Call `heard` with the news of every run that runs or waits, as they come. */
export function onEvent(heard) { listeners.add(heard); }

/** Call `refresher` when something has changed, at most once in a while; for what is no simple part. */
export function onChange(refresher) { refreshers.add(refresher); }

/** Call `poller` now and then while there are no news, and once when they are back; for what lives by events. */
export function onPoll(poller) { pollers.add(poller); }

async function refresh(part) {
  const answer = await fetch(part.dataset.live, { headers: { Accept: 'text/html' } });
  if (!answer.ok) return;
  const fresh = part.cloneNode(false);
  fresh.innerHTML = await answer.text();
  morph(part, fresh);
  part.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
}

let asked = 0;
let timer = null;
let missed = false; // something changed while nobody looked

function refreshNow() {
  timer = null;
  if (document.hidden) { missed = true; return; }
  missed = false;
  asked = Date.now();
  // Where the server is away, the stream will say when it is back.
  Promise.allSettled([...parts().map(refresh), ...[...refreshers].map(refresher => refresher())]);
}

function refreshSoon() {
  timer ??= setTimeout(refreshNow, Math.max(100, asked + BUSY_MS - Date.now()));
}

function poll() {
  refreshSoon();
  for (const poller of pollers) poller();
}

let polling = null;
function hearState(up) {
  if (up && polling) poll();
  clearInterval(polling);
  polling = up ? null : setInterval(poll, POLL_MS);
}

function listen() {
  follow(({ up, news }) => {
    if (up !== undefined) hearState(up);
    if (!news) return;
    for (const heard of listeners) heard(news);
    refreshSoon();
  });
  document.addEventListener('visibilitychange', () => { if (missed && !document.hidden) refreshSoon(); });
}
if (parts().length) listen();
