// A worker is at something that this page shows: tell how far it is, and when it is done bring the page up to date.
import { morph } from './morph.js';

const OPEN = ['queued', 'running'];
const PAUSE = 400;

async function follow(part) {
  const id = part.dataset.errand;
  while (part.isConnected && part.dataset.errand === id) {
    await new Promise(resolve => { setTimeout(resolve, PAUSE); });
    const response = await fetch(`/api/v1/errands/${id}`).catch(() => null);
    if (!response?.ok) continue;
    const errand = await response.json();
    if (!OPEN.includes(errand.status)) { await refresh(); return; }
    show(part, errand.answer?.done);
  }
}

function show(part, done) {
  if (done === undefined) return;
  const [progress, shown] = [part.querySelector('progress'), part.querySelector('[data-done]')];
  if (progress) progress.value = done;
  if (shown) shown.textContent = done.toLocaleString('en');
}

async function refresh() {
  const response = await fetch(location.href);
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
  for (const old of document.querySelectorAll('[data-told]')) {
    const told = fresh.getElementById(old.id);
    if (told) morph(old, told);
  }
  start();
}

function start() {
  for (const part of document.querySelectorAll('[data-errand]')) follow(part);
}

start();
