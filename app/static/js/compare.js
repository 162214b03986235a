// The comparison: the table of what differs is brought anew in its place instead of the whole page.

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
  history.replaceState(history.state, "", link.href.replace("#differs", ""));
  document.querySelector('#differs .seg [aria-current="true"]').focus({ preventScroll: true });
});
