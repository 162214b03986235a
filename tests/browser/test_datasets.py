"""A file chosen in a browser's form becomes a data set."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, serving

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("javascript", [True, False])
def test_an_upload_is_imported_and_then_deleted(
    tmp_path: Path, migrated: bytes, open_page: Open, javascript: bool
) -> None:
    (tmp_path / "tuneboard.db").write_bytes(migrated)
    file = tmp_path / "questions.jsonl"
    rows = ({"question": f"What is {i} plus 1?", "answer": f"It is {i + 1}."} for i in range(80))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serving(tmp_path) as address:
        page = open_page(f"{address}/datasets", javascript=javascript)
        page.set_input_files("#file", file)
        page.fill("#name", "Sums")
        page.click("button:has-text('Import')")
        expect(page.locator("h1")).to_have_text("Sums")
        expect(page.locator(".rows-table")).to_contain_text("What is 0 plus 1?")
        page.fill("input[name=search]", "79 plus")
        page.press("input[name=search]", "Enter")
        expect(page.locator(".rows-table tbody tr")).to_have_count(1)
        page.click("summary:has-text('Delete')")
        page.click("button:has-text('Delete Sums')")
        expect(page.locator("main")).to_contain_text("None yet")
        page.goto("about:blank")  # a page that is open asks a server that is gone, and complains
