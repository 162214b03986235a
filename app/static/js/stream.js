// The stream of news as a page has it: by the worker that all tabs share, or of its own where there are no such workers.
import { Feed } from './feed.js';

function shared(heard, failed) {
  const worker = new SharedWorker(new URL('./shared_feed.js', import.meta.url), { type: 'module', name: 'tuneboard' });
  worker.addEventListener('error', failed, { once: true });
  worker.port.addEventListener('message', ({ data }) => heard(data));
  worker.port.start();
  addEventListener('pagehide', () => worker.port.postMessage('bye'), { once: true });
}

function own(heard) {
  const feed = new Feed(heard);
  feed.open();
  addEventListener('pagehide', () => feed.close(), { once: true });
}

/** Call `heard` with each message of the feed, until the page goes. */
export function follow(heard) {
  if (!globalThis.SharedWorker) own(heard);
  else shared(heard, () => own(heard));
  // A page that comes back from the browser's cache has missed what happened meanwhile.
  addEventListener('pageshow', event => { if (event.persisted) location.reload(); });
}
