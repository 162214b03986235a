// The comparison: the table of what differs is brought anew in its place instead of the whole page.

/** The link's address, with what the charts keep in the present one: what is picked, axes, zoom. */
function withChosen(href) {
  const address = new URL(href);
  const shown = new URL(location.href).searchParams;
  for (const name of new Set(shown.keys())) {
    if (name === "all" || address.searchParams.has(name)) continue;
    for (const value of shown.getAll(name)) address.searchParams.append(name, value);
  }
  address.hash = "";
  return address;
}

async function bring(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("#differs").replaceWith(fresh.querySelector("#differs"));
}

document.addEventListener("click", async event => {
  const link = event.target.closest?.("#differs .seg a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    await bring(link.href);
  } catch {
    location.assign(link.href);
    return;
  }
  history.replaceState(history.state, "", withChosen(link.href));
  document.querySelector('#differs .seg [aria-current="true"]').focus({ preventScroll: true });
});
