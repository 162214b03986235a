"""/compare/rows as a page: what stands where, and that every link leads on."""

import re
from html import unescape

import pytest
from fastapi.testclient import TestClient

from app.db import Database
from app.settings import Settings
from app.status import RunStatus
from tests.answered import REFERENCES, add_answered
from tests.stored_runs import add_run

HALF = [" ".join(text.split()[:8]) for text in REFERENCES]


def shown(client: TestClient, query: str) -> str:
    answer = client.get(f"/compare/rows?{query}", headers={"accept": "text/html"})
    assert answer.status_code == 200
    return unescape(answer.text)


def words_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture
def two(database: Database, settings: Settings) -> str:
    changed = [REFERENCES[0], HALF[1], REFERENCES[2], "<script>alert(1)</script>"]
    ids = [add_answered(database, settings, HALF, name="Half"), add_answered(database, settings, changed, name="More")]
    return ",".join(map(str, ids))


def test_the_first_sentence_says_what_came_of_it(client: TestClient, two: str) -> None:
    text = words_of(shown(client, f"runs={two}"))
    assert (
        "Against Half, More is better by ROUGE-L on 2 of 4 rows, worse on 1; 1 answer is word for word the same."
        in text
    )


def test_where_no_run_gains_the_sentence_does_not_claim_it(
    client: TestClient, database: Database, settings: Settings
) -> None:
    ids = [add_answered(database, settings, answers) for answers in (REFERENCES, HALF, ["", *HALF[1:]])]
    text = words_of(shown(client, f"runs={','.join(map(str, ids))}"))
    assert "None of 2 runs gains against run (#1); run (#2) comes closest" in text


def test_an_answer_is_text_and_never_markup(client: TestClient, two: str) -> None:
    answer = client.get(f"/compare/rows?runs={two}", headers={"accept": "text/html"}).text
    assert "<script>alert" not in answer
    assert "&lt;" in answer


def test_a_run_alone_is_base_against_fine_tuned(client: TestClient, two: str) -> None:
    text = words_of(shown(client, "runs=2"))
    assert "Against its base model, More is better by ROUGE-L on" in text
    assert "Fine-tuned" in text
    assert "Disagreement" not in text


def test_every_link_of_the_page_leads_somewhere(client: TestClient, two: str) -> None:
    html = shown(client, f"runs={two}&only=better&find=the")
    links = set(re.findall(r'href="(/compare/rows[^"#]*)', html))
    assert len(links) > 20
    for link in links:
        assert client.get(link, headers={"accept": "text/html"}).status_code == 200, link


def test_a_row_alone_knows_its_neighbours(client: TestClient, two: str) -> None:
    html = shown(client, f"runs={two}&sort=row&row=20")
    assert re.search(r'href="([^"]*row=10)" rel="prev"', html)
    assert re.search(r'href="([^"]*row=30)" rel="next"', html)
    assert "2 of 4" in html
    assert 'rel="prev"' not in shown(client, f"runs={two}&sort=row&row=10")


def test_equal_answers_of_many_runs_stand_once(client: TestClient, database: Database, settings: Settings) -> None:
    for number in range(8):
        add_answered(database, settings, HALF if number % 2 else REFERENCES, name=f"Run {number}")
    html = shown(client, "runs=1,2,3,4,5,6,7,8&sort=row")
    first = html.split('id="row-10"')[1].split('id="row-20"')[0]
    assert first.count('class="score"') == 3
    assert "Run 7" in first


def test_who_is_left_out_or_was_asked_something_else_is_said(
    client: TestClient, database: Database, settings: Settings, two: str
) -> None:
    add_run(database, RunStatus.RUNNING, name="Late")
    other = {"fingerprint": "other", "perplexity_key": "other"}
    add_answered(database, settings, HALF, name="Other", **other)
    text = words_of(shown(client, f"runs={two},3,4"))
    assert "Late (#3) is left out: its answers follow when it has finished." in text
    assert "ROUGE-L of Other is not set against Half" in text


def test_without_any_answers_the_page_says_what_to_wait_for(client: TestClient, database: Database) -> None:
    add_run(database, RunStatus.QUEUED, name="Late")
    text = words_of(shown(client, "runs=1"))
    assert "None of these runs has left answers to show." in text
    assert "its answers follow when it has finished" in text


def test_a_wrong_address_is_answered_in_words(client: TestClient, two: str) -> None:
    answer = client.get(f"/compare/rows?runs={two}&sort=luck", headers={"accept": "text/html"})
    assert answer.status_code == 422
    assert "One of changed, improved" in answer.text
    assert client.get(f"/compare/rows?runs={two}&row=x", headers={"accept": "text/html"}).status_code == 404
