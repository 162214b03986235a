// Bring a part of the page to what the server says now, touching only what differs: focus, selection, open details
// and typed text stay. Elements with an id are matched by it; data-keep elements are left to their own script.
const isElement = node => node.nodeType === Node.ELEMENT_NODE;
const canBecome = (old, fresh) => old.nodeType === fresh.nodeType
  && (!isElement(old) || (old.tagName === fresh.tagName && old.id === fresh.id));

// What a person does to an element, which the server cannot know.
const OWN = new Set(['open']);

function attributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) if (!OWN.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
}

function children(old, fresh) {
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const named = isElement(wanted) && wanted.id && old.querySelector(`:scope > #${CSS.escape(wanted.id)}`);
    const match = named || (at && canBecome(at, wanted) ? at : null);
    if (!match) { old.insertBefore(wanted, at); continue; }
    if (match === at) at = at.nextSibling; else old.insertBefore(match, at);
    morph(match, wanted);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

/** Make `old` equal to `fresh`, an element of the same kind. */
export function morph(old, fresh) {
  if (!isElement(old)) { if (old.data !== fresh.data) old.data = fresh.data; return; }
  if (old.hasAttribute('data-keep')) return;
  attributes(old, fresh);
  children(old, fresh);
}
