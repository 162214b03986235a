// The server's stream of news, opened again for as long as somebody listens. `tell` hears of each change:
// { up: true | false } or { news: {...} }, the parsed data of an event.
const AGAIN_MS = [2000, 5000, 15000, 60000]; // where the server refuses; a connection that breaks is the browser's business

export class Feed {
  #stream = null;
  #refused = 0;
  #timer = null;
  #states = new Map(); // run -> its last news without the points
  up = false;

  constructor(tell) { this.tell = tell; }

  open() {
    if (this.#stream) return;
    this.#stream = new EventSource('/api/v1/events');
    this.#stream.addEventListener('open', () => { this.#refused = 0; this.#say(true); });
    this.#stream.addEventListener('error', () => { this.#say(false); this.#openAgain(); });
    this.#stream.addEventListener('message', event => {
      const news = JSON.parse(event.data);
      this.#states.set(news.run, { ...news, points: {} });
      this.tell({ news });
    });
  }

  close() {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
    this.#states.clear();
    this.up = false;
  }

  /** What somebody who joins is told first. */
  greet(tell) {
    tell({ up: this.up });
    for (const news of this.#states.values()) tell({ news });
  }

  #say(up) {
    this.up = up;
    this.tell({ up });
  }

  #openAgain() {
    if (this.#stream?.readyState !== EventSource.CLOSED) return;
    this.close();
    const pause = AGAIN_MS[Math.min(this.#refused++, AGAIN_MS.length - 1)];
    this.#timer = setTimeout(() => this.open(), pause);
  }
}
