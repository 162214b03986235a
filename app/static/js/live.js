// Live parts: an element with data-live="/address" holds what that address answers; when the server says that
// something changed, it is asked for again. One stream a tab; no stream is opened where no part is live.
const WAIT_MS = 400; // several changes in a row are one refresh

export const parts = () => [...document.querySelectorAll('[data-live]')];
const listeners = new Set();
const refreshers = new Set();

/** Call `heard` with the parsed data of every event of the stream. */
export function onEvent(heard) { listeners.add(heard); }

/** Call `refresher` when something has changed, at most once in a while; for what is no simple part. */
export function onChange(refresher) { refreshers.add(refresher); }

// A form's token is new in every answer: it is no change.
const substance = html => html.replace(/name="_token" value="[^"]*"/g, '');
const seen = new WeakMap();

async function refresh(part) {
  const answer = await fetch(part.dataset.live, { headers: { Accept: 'text/html' } });
  if (!answer.ok) return;
  const html = await answer.text();
  if (substance(html) === seen.get(part) || part.matches(':active')) return;
  seen.set(part, substance(html));
  const focused = nameOf(part.contains(document.activeElement) && document.activeElement);
  part.innerHTML = html;
  if (focused) [...part.querySelectorAll('a, button')].find(element => nameOf(element) === focused)?.focus();
  part.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
}

/** What stays the same about a link or a button when its part is replaced, so that the keyboard keeps its place. */
const nameOf = element => element && (element.getAttribute('aria-label') || element.getAttribute('href'));

let timer = null;
function refreshSoon() {
  timer ??= setTimeout(() => {
    timer = null;
    const asked = [...parts().map(refresh), ...[...refreshers].map(refresher => refresher())];
    Promise.allSettled(asked); // where the server is away, the stream will say when it is back
  }, WAIT_MS);
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
  addEventListener('pagehide', () => stream.close());
}
if (parts().length) listen();
