// The state of the charts in the page's address: to be linked to, and kept on reload.

export const read = name => new URLSearchParams(location.search).get(name);

/** Without a value the name goes. Commas stay readable. */
export function write(name, value) {
  const query = new URLSearchParams(location.search);
  if (value) query.set(name, value); else query.delete(name);
  history.replaceState(history.state, '', `${location.pathname}?${query.toString().replaceAll('%2C', ',')}${location.hash}`);
}
