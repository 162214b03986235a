"""Every page in a real Chromium: nothing for axe to find, nothing wider than the screen, nothing blocked by the CSP."""

from typing import Any

import pytest
from playwright.sync_api import Page

from app.settings import ROOT
from tests.browser.conftest import Open

pytestmark = pytest.mark.browser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

PAGES = (
    "/",
    "/leaderboard?experiment=1&status=completed&filter=Exp",
    "/leaderboard?columns=name,lora.r,model.base_model,eval/loss,eval/bleu:best,device,status,created_at,tags&baseline=7",
    "/experiments",
    "/experiments/1",
    "/datasets",
    "/datasets/1",
    "/compare",
    "/queue",
    "/runs/new",
    "/runs/8",
    "/runs/9",
    "/runs/9?find=loss#log",
    "/runs/12",
    "/tryout?runs=8,7&row=3",
    "/nowhere",
)


def findings(page: Page) -> list[str]:
    """What axe-core has to say: each rule with the elements that break it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))  # evaluated, as the page's CSP would block a script element
    found: dict[str, Any] = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {' '.join(str(part) for part in node['target'])} {node['html'][:160]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def complaints(page: Page) -> list[str]:
    """In both themes, wide and narrow: what axe finds, and whether the page is wider than its screen."""
    found = []
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.evaluate("scheme => { document.documentElement.dataset.bsTheme = scheme }", scheme)
            found += [f"{width} {scheme} {finding}" for finding in findings(page)]
        if is_too_wide(page):
            found.append(f"{width} too wide")
    return found


def is_too_wide(page: Page) -> bool:
    """Charts follow a new width a moment later."""
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    for _ in range(10):
        if not page.evaluate(wide):
            return False
        page.wait_for_timeout(100)
    return True


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(seeded: str, open_page: Open, path: str) -> None:
    page = open_page(seeded + path, missing_is_fine=path == "/nowhere")
    page.wait_for_timeout(300)
    assert complaints(page) == []


def test_axe_finds_nothing_on_the_first_page_of_all(empty: str, open_page: Open) -> None:
    assert complaints(open_page(empty)) == []


def test_axe_does_find_what_is_wrong(seeded: str, open_page: Open) -> None:
    page = open_page(seeded)
    page.evaluate("""() => {
        document.querySelector('main').append(document.createElement('img'));
        const sheet = new CSSStyleSheet();
        sheet.replaceSync('.sub { color: #777 !important; width: 2000px }');
        document.adoptedStyleSheets.push(sheet);
    }""")
    found = " ".join(complaints(page))
    assert "1440 light image-alt" in found
    assert "1440 light color-contrast" in found
    assert "390 too wide" in found


def test_no_page_asks_another_host_for_anything(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/queue")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PAGES[:-1]:
        page.goto(seeded + path)
    assert asked
    assert [url for url in asked if not url.startswith(seeded) and not url.startswith("data:")] == []


def test_the_first_page_is_small(seeded: str, open_page: Open) -> None:
    """look.md: 100 KB compressed, of which Tabler takes 79."""
    page = open_page("about:blank")
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(seeded)
    page.wait_for_timeout(300)
    assert sum(sizes) < 130_000


def test_the_theme_follows_the_system_and_then_the_switch(seeded: str, open_page: Open) -> None:
    page = open_page(seeded, scheme="dark")
    theme = "document.documentElement.dataset.bsTheme"
    assert page.evaluate(theme) == "dark"
    page.click("[data-theme-switch]")
    assert page.evaluate(theme) == "light"
    page.reload()
    assert page.evaluate(theme) == "light"
