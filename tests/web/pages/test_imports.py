"""The page that brings in a table from elsewhere: seen as it is understood, then imported, with nothing typed lost."""

import re
from typing import Any

from httpx import Response

from app.importing.import_request import MAX_BYTES
from tests.app.study.reference_study import TABLE
from tests.web.pages.conftest import Browser
from tests.web.pages.test_report import words

FIELDS = {
    "experiment": "Reference",
    "base.perplexity": "45.2",
    "base.bleu": "0.23",
    "base.rouge_l": "0.31",
    "setup.base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    "setup.train_rows": "2,500",
    "setup.gradient_accumulation_steps": "4",
}


def send(browser: Browser, file: tuple[str, str | bytes] | None = None, **fields: Any) -> Response:
    token = re.search(r'name="_token" value="([^"]+)"', browser.open("/imports/new"))
    assert token
    data = {"_token": token[1], **FIELDS, **fields}
    headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
    files = {"file": file or ("", b"")}
    return browser.client.post("/imports/new", data=data, files=files, headers=headers, follow_redirects=False)


def test_a_pasted_table_is_shown_as_it_is_understood_and_not_stored(new_browser: Browser) -> None:
    answer = send(new_browser, text=TABLE, wish="preview")
    assert answer.status_code == 200
    text = words(answer.text)
    assert "As it is understood 7 runs" in text
    assert "Exp 6 2e-4 4 8 16 5 17.8 0.44 0.53 75 min 4.2 GB – More epochs - best overall" in text
    assert 'value="45.2"' in answer.text
    assert new_browser.client.get("/api/v1/runs").json()["total"] == 0


def test_then_it_is_imported_and_its_report_opens(new_browser: Browser) -> None:
    answer = send(new_browser, text=TABLE, wish="import")
    assert (answer.status_code, answer.headers["location"]) == (303, "/experiments/1/report")
    assert "30 min 6.0 min" in words(new_browser.open("/experiments/1/report"))


def test_a_file_takes_the_place_of_the_paste_and_comes_back_as_text(new_browser: Browser) -> None:
    answer = send(new_browser, ("runs.csv", "run,ppl\na,18.7"), text="something else", wish="preview")
    assert "What stands below was read from runs.csv" in words(answer.text)
    assert "run,ppl\na,18.7</textarea>" in answer.text
    again = send(new_browser, text="run,ppl\na,18.7", source="runs.csv", wish="import")
    assert again.status_code == 303
    assert "imported from runs.csv" in words(new_browser.open("/runs/1"))


def test_a_column_can_be_said_to_be_something_else(new_browser: Browser) -> None:
    table = "who,score,ppl\na,0.4,18.7"
    shown = send(new_browser, text=table, wish="preview").text
    assert "column &#39;score&#39; is not known and was left out" in shown
    chosen = {
        "header.0": "who",
        "column.0": "name",
        "header.1": "score",
        "column.1": "bleu",
        "header.2": "ppl",
        "column.2": "-",
    }
    assert send(new_browser, text=table, wish="import", **chosen).status_code == 303
    run = new_browser.client.get("/api/v1/runs/1").json()
    assert (run["name"], run["results"]["finetuned"]["bleu"], run["results"]["finetuned"]["perplexity"]) == (
        "a",
        0.4,
        None,
    )


def test_what_is_wrong_is_said_with_the_input_kept(new_browser: Browser) -> None:
    answer = send(new_browser, text="run,ppl\na,about 18", wish="import")
    assert answer.status_code == 422
    assert "line 1, perplexity: &#39;about 18&#39; is not understood" in answer.text
    assert "a,about 18</textarea>" in answer.text
    wrong = send(new_browser, text=TABLE, wish="import", **{"base.bleu": "much"})
    assert wrong.status_code == 422
    assert 'value="much"' in wrong.text
    assert "Give a number" in words(wrong.text)
    assert "Choose a file, or paste the table" in words(send(new_browser, wish="preview").text)
    assert "This is needed" in words(send(new_browser, text=TABLE, experiment="", wish="import").text)


def test_a_name_of_digits_is_a_name(new_browser: Browser) -> None:
    send(new_browser, text=TABLE, experiment="2026", wish="import")
    assert new_browser.client.get("/api/v1/experiments/1").json()["name"] == "2026"


def test_too_much_and_a_foreign_form_are_refused(new_browser: Browser) -> None:
    assert send(new_browser, ("a.csv", "x" * (MAX_BYTES + 1)), wish="preview").status_code == 413
    assert send(new_browser, text=TABLE, wish="import", _token="forged").status_code == 403
    assert new_browser.client.get("/api/v1/runs").json()["total"] == 0


def test_an_imported_run_says_where_it_is_from_and_has_no_dead_parts(new_browser: Browser) -> None:
    send(new_browser, text=TABLE, wish="import")
    html = new_browser.open("/runs/7")
    text = words(html)
    assert "Exp 6 imported" in text
    assert "imported from pasted text" in text
    assert "spread unknown" in text
    for part in ("Held-out rows", "Loss", "Log", "Reproduce", "Retry", "Files"):
        assert part not in text
    assert "imported" in words(new_browser.open("/leaderboard?experiment=1"))
