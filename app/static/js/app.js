// What every page shares: theme switch, keyboard, popovers that close, the reader's own clock.
import './live.js';
import { compare, enter, pin, step, toggle } from './rows.js';

const root = document.documentElement;

for (const button of document.querySelectorAll('[data-theme-switch]')) {
  button.hidden = false;
  button.addEventListener('click', () => {
    root.dataset.bsTheme = root.dataset.bsTheme === 'dark' ? 'light' : 'dark';
    try { localStorage.setItem('theme', root.dataset.bsTheme); } catch { /* storage may be blocked */ }
    document.dispatchEvent(new CustomEvent('themechange'));
  });
}

const openPopovers = () => document.querySelectorAll('details.pop[open]');
document.addEventListener('click', event => {
  for (const popover of openPopovers()) if (!popover.contains(event.target)) popover.open = false;
});

// Who follows a link to a fold wants to read what is in it.
function unfold() {
  const fold = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (fold?.matches('details.fold')) { fold.open = true; fold.scrollIntoView(); }
}
window.addEventListener('hashchange', unfold);
unfold();

function showKeys() {
  const keys = document.querySelector('details[data-keys]');
  if (keys) { keys.open = !keys.open; keys.querySelector('summary').focus({ preventScroll: true }); }
}

const PLACES = { n: '/runs/new', g: '/' };

document.addEventListener('keydown', event => {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.target.matches('input:not([type=checkbox]), textarea, select')) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const key = event.key.toLowerCase();
  const filter = document.querySelector('[data-filter]');
  if (PLACES[key]) location.href = PLACES[key];
  else if (key === '/' && filter) { event.preventDefault(); filter.focus(); }
  else if (key === 'j') step(1);
  else if (key === 'k') step(-1);
  else if (key === 'x') toggle();
  else if (key === 'enter') enter();
  else if (key === 'c') compare();
  else if (key === 'b') pin();
  else if (key === '?') showKeys();
  else if (key === 'escape') for (const popover of openPopovers()) popover.open = false;
});

export function localClocks(part) {
  for (const time of part.querySelectorAll('time[data-clock]')) {
    const style = { hour: '2-digit', minute: '2-digit', ...(time.dataset.clock === 'seconds' && { second: '2-digit' }) };
    time.textContent = new Date(time.dateTime).toLocaleTimeString([], { ...style, hour12: false });
  }
}
localClocks(document);
document.addEventListener('refreshed', event => localClocks(event.target));
