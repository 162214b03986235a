// Live parts: an element with data-live="/address" holds what that address answers; when the server says that
// something changed, it is asked for again. One stream a tab; no stream is opened where no part is live.
import { morph } from './morph.js';

const BUSY_MS = 2000; // at most one refresh in this time

const parts = () => [...document.querySelectorAll('[data-live]')];
const listeners = new Set();
const refreshers = new Set();

/** Call `heard` with the parsed data of every event of the stream. */
export function onEvent(heard) { listeners.add(heard); }

/** Call `refresher` when something has changed, at most once in a while; for what is no simple part. */
export function onChange(refresher) { refreshers.add(refresher); }

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

function listen() {
  const runs = document.body.dataset.runs;
  const stream = new EventSource('/api/v1/events' + (runs ? `?runs=${runs}` : ''));
  let lost = false;
  stream.addEventListener('open', () => { if (lost) refreshSoon(); lost = false; });
  stream.addEventListener('error', () => { lost = true; });
  stream.addEventListener('message', event => {
    const data = JSON.parse(event.data);
    for (const heard of listeners) heard(data);
    refreshSoon();
  });
  document.addEventListener('visibilitychange', () => { if (missed && !document.hidden) refreshSoon(); });
  addEventListener('pagehide', () => stream.close());
}
if (parts().length) listen();
