// The launch form: what the launch will do, asked for again as settings are typed. Without this script the panel
// shows what the page was made with, and everything else works the same.
const form = document.querySelector('[data-launch]');
const WAIT_MS = 200;
const LONG = new Set(['_token', 'notes', 'data.prompt_template']); // what an address has no room for, or no use

function typed() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (!LONG.has(name)) query.set(name, value);
  return query;
}

/** Text of the panel that the form shows beside its fields as well. */
function copyFacts() {
  const panel = document.getElementById('launch-facts');
  for (const fact of panel.querySelectorAll('[data-fact]')) {
    for (const copy of form.querySelectorAll(`[data-fact="${fact.dataset.fact}"]`)) copy.textContent = fact.textContent;
  }
}

/** The line of a folded group says what is in it. */
function say(field) {
  const part = form.querySelector(`[data-says="${field.name}"]`);
  if (!part) return;
  const text = field.type === 'checkbox' ? String(field.checked) : field.value.trim();
  part.lastElementChild.textContent = text.includes('{') ? 'own text' : { true: 'on', false: 'off' }[text] ?? text;
  part.classList.toggle('set-diff', text !== part.dataset.default);
  part.hidden = text === '';
}

/** Folded is not varied: a fold that is closed gives up its values, and one that is opened starts from the field's. */
function toggle(fold) {
  const values = fold.querySelector('input');
  const field = form.elements.namedItem(fold.dataset.vary);
  if (!fold.open) values.value = '';
  else if (!values.value && field?.value) values.value = field.type === 'checkbox' ? 'true, false' : `${field.value}, `;
  if (fold.open) {
    document.getElementById('group-study').open = true;
    values.focus();
  }
  soon();
}
form.addEventListener('click', event => {
  const fold = event.target.closest('.vary > summary')?.parentElement;
  if (fold) setTimeout(() => toggle(fold)); // after the browser has opened or closed it
});

// A study for any base and data: those that are chosen come along.
form.addEventListener('click', event => {
  const link = event.target.closest('a[data-keeps]');
  if (!link) return;
  const url = new URL(link.href);
  for (const name of link.dataset.keeps.split(' ')) url.searchParams.set(name, form.elements.namedItem(name).value);
  link.href = url.href;
});

// The panel follows what is typed: there is nothing to be asked for.
form.querySelector('[data-unscripted]').remove();

let asked = 0;
async function refresh() {
  const mine = ++asked;
  const answer = await fetch(`/runs/new/facts?${typed()}`, { headers: { Accept: 'text/html' } });
  if (!answer.ok || mine !== asked) return; // an answer that was overtaken is not news
  document.getElementById('launch-facts').outerHTML = await answer.text();
  copyFacts();
}

let timer = 0;
function soon() {
  clearTimeout(timer);
  timer = setTimeout(() => refresh().catch(() => { /* the server is away: the panel stays as it was */ }), WAIT_MS);
}
form.addEventListener('input', event => {
  say(event.target);
  soon();
});

/** Whether it holds what the page came with; not so where a browser brings typed values back, or somebody was fast. */
function untouched(field) {
  if (field.type === 'checkbox') return field.checked === field.defaultChecked;
  return field.defaultValue === undefined || field.value === field.defaultValue;
}
if (![...form.elements].every(untouched)) soon();

// A wheel over a focused number would change it unseen.
form.addEventListener('wheel', event => {
  if (event.target.type === 'number') event.target.blur();
}, { passive: true });

// A link to a field of a folded group opens the group first.
function reveal(id) {
  const field = document.getElementById(id);
  for (let fold = field?.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true;
  field?.focus();
}
form.addEventListener('click', event => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  reveal(decodeURIComponent(link.hash.slice(1)));
});

form.addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
});

// Some browsers send an empty text for a number's box that holds something else: rather say so than lose it.
form.addEventListener('submit', event => {
  const unreadable = [...form.elements].find(field => field.validity?.badInput);
  if (!unreadable) return;
  event.preventDefault();
  reveal(unreadable.id);
  unreadable.reportValidity();
});
