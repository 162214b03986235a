"""The data sets' pages: the form that adds one, what it says of a bad file, statistics, preview, delete."""

import html
import json
import re
from urllib.parse import quote

from httpx import Response

from app.data.datasets import SAMPLE_FILE
from app.data.rows import read_rows
from app.settings import Settings
from tests.web.pages.conftest import Browser

ROWS = [{"instruction": f"What is {i} plus {i}?", "response": f"{i} plus {i} is {2 * i}."} for i in range(60)]
FILE = "".join(json.dumps(row) + "\n" for row in ROWS)


def upload(browser: Browser, content: str, filename: str = "sums.jsonl", **fields: str) -> Response:
    token = re.search(r'name="_token" value="([^"]+)"', browser.open("/datasets"))
    assert token
    return browser.client.post(
        "/datasets",
        data={"_token": token[1], "name": "", "format": "", "path": "", "bad_rows": "reject", **fields},
        files={"file": (filename, content)},
        headers={"accept": "text/html"},
        follow_redirects=False,
    )


def test_a_file_is_imported_and_its_rows_and_statistics_shown(new_browser: Browser) -> None:
    made = upload(new_browser, FILE, filename="my sums.jsonl")
    assert made.status_code == 303
    page = new_browser.open(made.headers["location"])
    assert "<h1>my sums</h1>" in page
    assert "What is 0 plus 0?" in page
    assert "half have at most" in page


def test_a_bad_row_is_named_and_nothing_is_kept(new_browser: Browser, settings: Settings) -> None:
    refused = upload(new_browser, FILE + '{"instruction": "no answer"}\n', name="Kept name")
    assert refused.status_code == 422
    assert "Nothing was imported." in refused.text
    assert "61" in refused.text
    assert 'value="Kept name"' in refused.text
    assert "None yet" in new_browser.open("/datasets")
    assert list(settings.datasets_dir.iterdir()) == []


def test_bad_rows_are_left_out_where_that_is_asked_for(new_browser: Browser) -> None:
    made = upload(new_browser, FILE + '{"instruction": "no answer"}\n', bad_rows="skip")
    assert "Left out</dt><dd>1</dd>" in new_browser.open(made.headers["location"])


def test_unusual_columns_are_named_in_the_form(new_browser: Browser) -> None:
    odd = "".join(json.dumps({"act": row["instruction"], "said": row["response"]}) + "\n" for row in ROWS)
    assert upload(new_browser, odd).status_code == 422
    made = upload(new_browser, odd, **{"column.prompt": "act", "column.response": "said"})
    assert made.status_code == 303


def test_a_file_of_no_known_format_is_a_sentence_on_the_form(new_browser: Browser) -> None:
    refused = upload(new_browser, "%PDF", filename="paper.pdf")
    assert refused.status_code == 415
    assert "Nothing was imported." in refused.text
    assert "paper.pdf" in refused.text


def test_without_a_file_the_form_says_that_one_is_needed(new_browser: Browser) -> None:
    refused = upload(new_browser, "", filename="")
    assert refused.status_code == 422
    assert "This is needed" in refused.text


def test_an_upload_without_the_forms_token_is_refused(new_browser: Browser) -> None:
    answer = new_browser.client.post("/datasets", files={"file": ("a.jsonl", FILE)}, headers={"accept": "text/html"})
    assert answer.status_code == 403
    assert "None yet" in new_browser.open("/datasets")


def test_rows_are_paged_and_searched(browser: Browser) -> None:
    rows = [html.escape(row.instruction) for row in read_rows(SAMPLE_FILE)]
    first = browser.open("/datasets/1")
    assert ">25</a>" in first
    assert rows[24] in first
    further = re.search(r'href="(/datasets/1\?cursor=[^"#]+)', first)
    assert further
    second = browser.open(further[1])
    assert ">26</a>" in second
    assert rows[25] in second
    found = browser.open(f"/datasets/1?search={quote(html.unescape(rows[1999]).upper())}")
    assert ">2000</a>" in found
    assert ">1</a>" not in found
    assert "No row has this text" in browser.open("/datasets/1?search=zebra+crossing")


def test_one_that_runs_use_stays(browser: Browser) -> None:
    assert "used by 13 runs" in browser.open("/datasets/1")
    refused = browser.send("/datasets/1/delete", {})
    assert refused.status_code == 409


def test_one_that_nobody_uses_is_deleted(new_browser: Browser) -> None:
    made = upload(new_browser, FILE)
    page = new_browser.open(made.headers["location"])
    assert "Its rows go for good." in page
    gone = new_browser.send(f"{made.headers['location']}/delete", {})
    assert gone.headers["location"] == "/datasets"
    assert "None yet" in new_browser.open("/datasets")


def test_one_is_appended_to_another(new_browser: Browser) -> None:
    for name in ("One", "Two"):
        new_browser.client.post(
            "/api/v1/datasets",
            files={"file": ("a.jsonl", b'{"prompt": "a", "completion": "b"}\n')},
            data={"name": name},
        )
    assert 'action="/datasets/1/append"' in new_browser.open("/datasets/1")
    answer = new_browser.send("/datasets/1/append", {"dataset": "2", "name": "Both"}, on="/datasets/1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/datasets/3")
    page = new_browser.open("/datasets/3")
    assert "<h1>Both</h1>" in page
    assert '<a href="/datasets/1">One</a> and <a href="/datasets/2">Two</a>' in page


def test_what_is_known_of_trust_stands_on_the_page(browser: Browser) -> None:
    text = " ".join(browser.open("/datasets/1").split())
    assert "Nearly repeated prompts" in text
    assert "Responses that break off" in text
    assert "prompts shortened" in text
