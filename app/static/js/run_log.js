// The log of a run's page: new lines at the end, followed while the reader is there; other stretches as they are asked
// for; and a search through all of it, from one line found to the next.
import { LogSearch } from './run_log_search.js';

const MOST_LINES = 5000;
const AT_END = 8; // pixels

export class RunLog {
  #ends; // whether the lines shown go to the end of the log, so that new ones belong after them

  constructor(page) {
    this.run = page.dataset.run;
    this.box = page.querySelector('[data-log]');
    if (!this.box) return;
    const part = page.querySelector('#log');
    this.follow = part.querySelector('[data-follow]');
    part.querySelector('[data-unscripted]')?.remove();
    this.#setEnds(this.follow.hasAttribute('data-tail'));
    this.search = new LogSearch(part, this.run, offset => this.#show(offset));
    this.follow.addEventListener('click', () => (this.#isFollowed() ? this.#mark(false) : this.#toTail()));
    this.box.addEventListener('scroll', () => this.#mark(this.#ends && this.#isAtEnd()));
    this.box.addEventListener('click', event => this.#another(event));
    if (!this.#ends) return;
    this.#toEnd();
    this.#mark(true);
  }

  async more() {
    if (!this.box || !this.#ends) return;
    const stay = this.#isFollowed();
    const part = await this.#fetch(`after=${this.box.dataset.next}`);
    if (!part || part.dataset.next === this.box.dataset.next) return;
    this.box.dataset.next = part.dataset.next;
    this.box.querySelector('[data-nothing]')?.remove();
    this.#add(part, lines => this.box.append(...lines));
    while (this.box.querySelectorAll('.l').length > MOST_LINES) this.box.querySelector('[data-at]').remove();
    if (stay) this.#toEnd();
  }

  /** The line that begins at this offset, among its neighbours where it is not there yet. */
  async #show(offset) {
    const line = () => this.box.querySelector(`[data-at="${offset}"]`);
    if (!line()) await this.#replace(`at=${offset}`);
    const found = line();
    if (!found) return;
    this.box.querySelector('.hit')?.classList.remove('hit');
    found.classList.add('hit');
    this.box.scrollTop += found.getBoundingClientRect().top - this.box.getBoundingClientRect().top - this.box.clientHeight / 3;
  }

  async #another(event) {
    const link = event.target.closest('[data-earlier], [data-later]');
    if (!link) return;
    event.preventDefault();
    const earlier = link.matches('[data-earlier]');
    const part = await this.#fetch(earlier ? `before=${this.box.dataset.first}` : `after=${this.box.dataset.next}`);
    if (!part) return;
    const height = this.box.scrollHeight - this.box.scrollTop;
    if (earlier) {
      this.box.dataset.first = part.dataset.first;
      this.#add(part, lines => link.after(...lines));
      if (part.dataset.first === '0') link.remove();
      this.box.scrollTop = this.box.scrollHeight - height;
    } else {
      this.box.dataset.next = part.dataset.next;
      this.#add(part, lines => link.before(...lines));
      this.#setEnds(part.dataset.next === part.dataset.size);
      if (this.#ends) link.remove();
    }
  }

  async #replace(query) {
    const part = await this.#fetch(query);
    if (!part) return;
    const { first, next, size } = part.dataset;
    Object.assign(this.box.dataset, { first, next });
    this.#setEnds(next === size || query === '');
    this.box.replaceChildren();
    if (first !== '0') this.box.append(this.#link('earlier', `?before=${first}#log`, 'Earlier lines'));
    this.#add(part, lines => this.box.append(...lines));
    if (!this.#ends) this.box.append(this.#link('later', `?at=${next}#log`, 'Later lines'));
  }

  async #toTail() {
    if (!this.#ends) await this.#replace('');
    this.#toEnd();
    this.#mark(true);
  }

  #link(kind, href, words) {
    const link = document.createElement('a');
    Object.assign(link, { className: 'l more-lines', href, textContent: words });
    link.dataset[kind] = '';
    return link;
  }

  #add(part, place) {
    const lines = [...part.children];
    this.search.mark(lines);
    place(lines);
    for (const line of lines) line.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
  }

  async #fetch(query) {
    const answer = await fetch(`/runs/${this.run}/log/lines?${query}`, { headers: { Accept: 'text/html' } });
    if (!answer.ok) return null;
    const part = document.createElement('template');
    part.innerHTML = await answer.text();
    return part.content.firstElementChild;
  }

  /** Of a run that has ended nothing can be followed: the button only leads back from elsewhere. */
  #setEnds(ends) {
    this.#ends = ends;
    this.follow.hidden = ends && this.follow.hasAttribute('data-ended');
  }

  #isFollowed() { return this.follow.getAttribute('aria-pressed') === 'true'; }
  #isAtEnd() { return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < AT_END; }
  #toEnd() { this.box.scrollTop = this.box.scrollHeight; }
  #mark(followed) { this.follow.setAttribute('aria-pressed', followed); }
}
