// Find in the log: the server looks through all of it, the reader goes from one line found to the next.
const PAUSE_MS = 250; // after the last key

const WHOLE = new Intl.NumberFormat('en');

export class LogSearch {
  #offsets = [];
  #at = -1;
  #text = '';
  #timer = null;

  /** `show` is called with the offset of a line. */
  constructor(part, run, show) {
    [this.run, this.show] = [run, show];
    this.form = part.querySelector('[data-log-find]');
    this.said = part.querySelector('[data-log-said]');
    this.box = part.querySelector('[data-log]');
    this.before = this.said.textContent;
    this.form.querySelector('[type=submit]').hidden = true;
    this.input = this.form.elements.find;
    this.#text = this.input.value.trim(); // of lines that the server found
    this.mark(this.box.querySelectorAll('[data-at]'));
    this.input.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#find(), PAUSE_MS);
    });
    this.input.addEventListener('keydown', event => { if (event.key === 'Enter') this.#enter(event); });
    this.form.addEventListener('submit', event => event.preventDefault());
    for (const button of this.form.querySelectorAll('[data-find]')) {
      button.addEventListener('click', () => this.#step(Number(button.dataset.find)));
    }
  }

  /** Mark the text in these lines. */
  mark(lines) {
    for (const line of lines) {
      for (const old of line.querySelectorAll('mark')) old.replaceWith(old.textContent);
      line.normalize();
      const span = line.querySelector('span');
      if (!this.#text || !span?.firstChild) continue;
      const at = span.textContent.toLowerCase().indexOf(this.#text.toLowerCase());
      if (at < 0 || at + this.#text.length > span.firstChild.length) continue;
      const range = document.createRange();
      range.setStart(span.firstChild, at);
      range.setEnd(span.firstChild, at + this.#text.length);
      range.surroundContents(document.createElement('mark'));
    }
  }

  #enter(event) {
    event.preventDefault();
    if (this.input.value.trim() !== this.#text) this.#find();
    else this.#step(event.shiftKey ? -1 : 1);
  }

  async #find() {
    const text = this.input.value.trim();
    if (text === this.#text) return;
    [this.#text, this.#offsets, this.#at] = [text, [], -1];
    this.mark(this.box.querySelectorAll('[data-at]'));
    this.form.querySelector('[data-steps]').hidden = true;
    if (!text) { this.said.textContent = this.before; return; }
    let after = 0;
    let more = true;
    while (more) {
      const answer = await fetch(`/api/v1/runs/${this.run}/logs?search=${encodeURIComponent(text)}&after=${after}`);
      if (!answer.ok || text !== this.#text) return;
      const { offsets, next } = await answer.json();
      this.#offsets.push(...offsets);
      more = next > after;
      after = next;
      this.#say();
    }
    if (this.#offsets.length) this.#step(-1); // the newest first
    else this.said.textContent = 'No line has this text.';
  }

  #step(by) {
    const { length } = this.#offsets;
    if (!length) return;
    this.#at = this.#at < 0 ? length - 1 : (this.#at + by + length) % length;
    this.#say();
    this.show(this.#offsets[this.#at]);
  }

  #say() {
    this.form.querySelector('[data-steps]').hidden = this.#offsets.length < 2;
    this.said.textContent = `${this.#at < 0 ? '' : `${WHOLE.format(this.#at + 1)} of `}${WHOLE.format(this.#offsets.length)} found`;
  }
}
