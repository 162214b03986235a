"""/docs in a real browser: drawn from our own files, under our own policy, in both themes."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_page_lists_the_calls_and_asks_nobody_else(open_page: Open, seeded: str, scheme: str) -> None:
    page = open_page(f"{seeded}/docs", scheme=scheme)
    call = page.locator("#operations-runs-launch_api_v1_runs_post")
    expect(call).to_be_visible()
    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [url for url in loaded if not url.startswith((seeded, "data:"))] == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
