"""How long a person waits for a page, in Chromium: from asking to a table that can be used; and what it weighs."""

import statistics
from dataclasses import dataclass

from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError

CHROMIUM = ("/usr/bin/chromium", None)  # the machine's own, else playwright's

# Since the page was asked for, in milliseconds: its document is whole, and the browser has painted once more.
USABLE = """selector => new Promise(done => {
  const look = () => document.querySelector(selector) && document.readyState !== 'loading'
    ? requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0)) : setTimeout(look, 5);
  look();
})"""


@dataclass(frozen=True)
class Seen:
    """Seconds to a usable page, the median; what came over the wire for a first visit, and in how many requests."""

    seconds: float
    bytes: int
    requests: int


def look(address: str, path: str, selector: str, repeats: int) -> Seen | None:
    """A new profile each time, so nothing is cached; None where there is no browser."""
    with sync_playwright() as playwright:
        for executable in CHROMIUM:
            try:
                browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            except PlaywrightError:
                continue
            visits = [_visit(browser, address + path, selector) for _ in range(repeats)]
            browser.close()
            return Seen(statistics.median(seconds for seconds, *_ in visits), visits[-1][1], visits[-1][2])
    return None


def _visit(browser: Browser, address: str, selector: str) -> tuple[float, int, int]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.goto(address, wait_until="commit")
    seconds = float(page.evaluate(USABLE, selector)) / 1000
    page.wait_for_timeout(300)
    context.close()
    return seconds, sum(sizes), len(sizes)
