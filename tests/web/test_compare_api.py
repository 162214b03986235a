"""GET /compare: what differs between runs, what it came to and how sure that is."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import Database
from tests.stored_runs import add_completed, add_points, config


def compare(client: TestClient, query: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/compare?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_two_runs_side_by_side(client: TestClient, database: Database) -> None:
    first = add_completed(database, 20.0, name="Base")
    second = add_completed(database, 18.0, name="Exp", config=config(lora__r=16))
    add_points(database, second, "train/loss", {1: 2.0})
    found = compare(client, f"runs={first},{second}")
    assert found["baseline"] == first
    assert [run["name"] for run in found["runs"]] == ["Base", "Exp"]
    rank = next(row for row in found["settings"] if row["name"] == "lora.r")
    assert rank["values"] == {str(first): 8, str(second): 16}
    assert rank["differs"] is True
    assert sum(row["differs"] for row in found["settings"]) == 1
    perplexity = found["metrics"][0]
    assert perplexity["direction"] == "lower"
    assert perplexity["deltas"] == {
        str(second): {
            "absolute": -2.0,
            "relative": -0.1,
            "interval": None,
            "p_value": None,
            "p_adjusted": None,
            "better": True,
        }
    }
    assert perplexity["best"] == [second]
    assert found["series"] == [{"name": "train/loss", "label": "Training loss", "unit": "nats/token", "runs": [second]}]
    assert found["verdict"].startswith("Exp is best on perplexity")


def test_the_same_runs_however_the_address_has_them(client: TestClient, database: Database) -> None:
    ids = [add_completed(database, 20.0 + n) for n in range(3)]
    whole = compare(client, f"runs={ids[2]},{ids[1]}&baseline={ids[0]}")
    assert [run["id"] for run in whole["runs"]] == [ids[0], ids[2], ids[1]]
    assert compare(client, f"baseline={ids[0]}&runs={ids[2]}&runs={ids[1]}") == whole


def test_a_run_that_is_gone_is_named(client: TestClient, database: Database) -> None:
    ids = [add_completed(database, 20.0 + n) for n in range(2)]
    assert compare(client, f"runs={ids[0]},{ids[1]},77")["missing"] == [77]


@pytest.mark.parametrize("query", ["", "runs=", "runs=1", "runs=x,y", "runs=1,2&baseline=x", "runs=1,2&baseline=0"])
def test_what_cannot_be_compared_is_refused_in_words(client: TestClient, database: Database, query: str) -> None:
    add_completed(database, 20.0)
    answer = client.get(f"/api/v1/compare?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] in ("runs", "baseline")
    assert answer.json()["errors"][0]["message"]


def test_a_hundred_runs_are_compared_and_no_more(client: TestClient, database: Database) -> None:
    ids = [add_completed(database, 20.0 + n / 10) for n in range(101)]
    assert len(compare(client, f"runs={','.join(map(str, ids[:100]))}")["runs"]) == 100
    assert client.get("/api/v1/compare", params={"runs": ids}).status_code == 422
