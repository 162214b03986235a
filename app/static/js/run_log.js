// The log of a run's page: new lines at the end, followed while the reader is there; search hides what does not match.
const MOST_LINES = 5000;
const AT_END = 8; // pixels

export class RunLog {
  constructor(page) {
    this.run = page.dataset.run;
    this.box = page.querySelector('[data-log]');
    this.follow = page.querySelector('[data-follow]');
    this.search = page.querySelector('[data-log-search]');
    if (!this.box) return;
    for (const scripted of page.querySelectorAll('#log [data-scripted=""]')) scripted.hidden = false;
    this.follow.addEventListener('click', () => this.#setFollow(!this.#isFollowed()));
    this.box.addEventListener('scroll', () => this.#setFollow(this.#isAtEnd(), { scroll: false }));
    this.search.addEventListener('input', () => this.#filter(this.box.children));
    this.#setFollow(true);
  }

  async more() {
    if (!this.box) return;
    const answer = await fetch(`/runs/${this.run}/log/lines?after=${this.box.dataset.next}`, { headers: { Accept: 'text/html' } });
    if (!answer.ok) return;
    const part = document.createElement('template');
    part.innerHTML = await answer.text();
    const { next } = part.content.firstElementChild.dataset;
    const lines = [...part.content.firstElementChild.children];
    if (next === this.box.dataset.next || !lines.length) return;
    this.box.dataset.next = next;
    this.box.querySelector('[data-nothing]')?.remove();
    this.#filter(lines);
    this.box.append(...lines);
    for (const line of lines) line.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
    while (this.box.children.length > MOST_LINES) this.box.firstElementChild.remove();
    if (this.#isFollowed()) this.#toEnd();
  }

  #isFollowed() { return this.follow.getAttribute('aria-pressed') === 'true'; }
  #isAtEnd() { return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < AT_END; }
  #toEnd() { this.box.scrollTop = this.box.scrollHeight; }

  #setFollow(on, { scroll = true } = {}) {
    this.follow.setAttribute('aria-pressed', on);
    if (on && scroll) this.#toEnd();
  }

  #filter(lines) {
    const wanted = this.search.value.trim().toLowerCase();
    for (const line of lines) line.hidden = wanted !== '' && !line.textContent.toLowerCase().includes(wanted);
  }
}
