"""GET /api/v1/compare/rows: answers side by side, page by page."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import Database
from app.models import Dataset
from app.settings import Settings
from tests.answered import REFERENCES, add_answered

ROWS = "/api/v1/compare/rows"
HALF = [" ".join(text.split()[:8]) for text in REFERENCES]


@pytest.fixture
def runs(database: Database, settings: Settings) -> str:
    """Two runs with answers to rows 10, 20, 30 and 40."""
    changed = [REFERENCES[0], HALF[1], REFERENCES[2], ""]
    ids = [add_answered(database, settings, HALF, name="Half"), add_answered(database, settings, changed, name="More")]
    return ",".join(map(str, ids))


def get(client: TestClient, runs: str, **query: Any) -> dict[str, Any]:
    answer = client.get(ROWS, params={"runs": runs, **query})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_row_has_every_answer_with_its_scores(client: TestClient, runs: str) -> None:
    body = get(client, runs, sort="row")
    assert [side["run_name"] for side in body["sides"]] == ["Half", "Half", "More"]
    assert [side["before"] for side in body["sides"]] == [None, None, "1"]
    assert body["sides"][2]["tally"] == {"better": 2, "worse": 1, "same": 1, "empty": 1}
    first = body["items"][0]
    assert (first["row"], first["reference"]) == (10, REFERENCES[0])
    base, half, more = first["answers"]
    assert (base["side"], half["side"], more["side"]) == ("base", "1", "2")
    assert more["scores"] == {"rouge_l": 1.0, "perplexity": pytest.approx(4.0)}
    assert more["gains"]["rouge_l"] == pytest.approx(1.0 - half["scores"]["rouge_l"])
    assert half["gains"] == {"rouge_l": None, "perplexity": None}
    assert more["marks"] == ["better"]
    assert more["pieces"] == [{"text": REFERENCES[0][:-1], "kind": "shared"}, {"text": ".", "kind": "plain"}]


def test_the_diff_is_against_the_baseline_where_that_is_asked_for(client: TestClient, runs: str) -> None:
    row = get(client, runs, diff="baseline", row=30)["items"][0]
    more = row["answers"][2]
    assert [piece for piece in more["pieces"] if piece["kind"] == "added"]
    assert "".join(piece["text"] for piece in more["pieces"] if piece["kind"] != "removed") == more["text"]


def test_pages_follow_each_other_and_hold_every_row_once(client: TestClient, runs: str) -> None:
    seen: list[int] = []
    cursor: str | None = None
    while True:
        body = get(client, runs, sort="changed", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [item["row"] for item in body["items"]]
        cursor = body["next_cursor"]
        assert body["total"] == 4
        if cursor is None:
            break
    assert sorted(seen) == [10, 20, 30, 40]
    assert seen[-1] == 20


def test_a_search_or_a_filter_leaves_the_others_out(client: TestClient, runs: str) -> None:
    assert [item["row"] for item in get(client, runs, only="worse,empty")["items"]] == [40]
    assert [item["row"] for item in get(client, runs, find="cuff")["items"]] == [20]
    assert get(client, runs, find="cuff", only="empty")["total"] == 0


def test_the_question_is_the_data_sets(
    client: TestClient, database: Database, settings: Settings, dataset: Dataset
) -> None:
    run = add_answered(database, settings, HALF, dataset_id=dataset.id)
    row = get(client, str(run), row=10)["items"][0]
    assert row["question"] == "Count two one"
    assert row["prompt"].startswith("<|user|>")


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("", 422, "runs"),
        ("runs=", 422, "runs"),
        ("runs=one", 422, "runs"),
        ("runs=99", 422, "runs"),
        ("runs=1,2&baseline=first", 422, "baseline"),
        ("runs=1,2&score=bleu", 422, "score"),
        ("runs=1,2&diff=words", 422, "diff"),
        ("runs=1,2&sort=luck", 422, "sort"),
        ("runs=1,2&only=nice", 422, "only"),
        ("runs=1,2&of=7", 422, "of"),
        ("runs=1,2&cursor=next", 422, "cursor"),
        ("runs=1,2&row=11", 404, None),
    ],
)
def test_what_cannot_be_answered_says_why(
    client: TestClient, runs: str, query: str, status: int, field: str | None
) -> None:
    answer = client.get(f"{ROWS}?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == ([field] if field else [])
