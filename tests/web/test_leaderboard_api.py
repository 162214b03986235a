"""GET /leaderboard."""

from fastapi.testclient import TestClient

from app.db import Database
from app.status import RunStatus
from tests.stored_runs import add_completed, add_run, config

URL = "/api/v1/leaderboard"


def test_rows_have_config_results_resources_and_their_place(client: TestClient, database: Database) -> None:
    second, first = add_completed(database, 20.0), add_completed(database, 10.0)
    waiting = add_run(database)
    answer = client.get(URL).json()
    assert (answer["total"], answer["next_cursor"], answer["sort"]) == (2, None, "eval/perplexity")
    assert [(row["id"], row["rank"], row["group"]) for row in answer["items"]] == [(first, 1, 0), (second, 2, 0)]
    row = answer["items"][0]
    assert row["results"]["finetuned"]["perplexity"] == 10.0
    assert row["config"]["lora"]["r"] == 8
    assert row["resources"]["train_seconds"] > 0
    assert "eval/perplexity" in row["best"]
    assert row["values"]["lora.r"] == 8
    (group,) = answer["groups"]
    assert (group["fingerprint"], group["runs"], group["reason"]) == ("asked", 2, "")
    assert group["bases"][0]["metrics"]["perplexity"] == 40.0
    assert [(row["id"], row["group"], row["rank"]) for row in answer["unranked"]] == [(waiting, None, None)]


def test_the_query_picks_rows_columns_and_order(client: TestClient, database: Database) -> None:
    kept = add_completed(database, 20.0, name="keep me")
    add_completed(database, 10.0)
    add_run(database, RunStatus.FAILED)
    answer = client.get(URL, params={"filter": "keep", "columns": "lora.r,bleu", "sort": "-bleu"}).json()
    assert [row["id"] for row in answer["items"]] == [kept]
    assert [column["name"] for column in answer["columns"]] == ["lora.r", "eval/bleu"]
    assert answer["columns"][1]["direction"] == "higher"
    assert answer["unranked"] == []


def test_a_query_that_makes_no_sense_is_a_422(client: TestClient) -> None:
    for query in ({"sort": "x"}, {"columns": "x"}, {"cursor": "x"}, {"limit": "0"}, {"status": "x"}):
        answer = client.get(URL, params=query)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == list(query)


def test_rows_may_be_configurations(client: TestClient, database: Database) -> None:
    ids = [add_completed(database, 18.0 + seed, config=config(training__seed=seed)) for seed in range(3)]
    add_completed(database, 18.5, config=config(lora__r=4))
    answer = client.get(URL, params={"group": "configuration"}).json()
    assert answer["total"] == 2
    assert [row["values"]["eval/perplexity"] for row in answer["items"]] == [18.5, 19.0]
    assert answer["items"][1]["replicates"]["runs"] == ids
    assert answer["items"][1]["replicates"]["spread"]["eval/perplexity"] == 1.0
    assert client.get(URL).json()["items"][0]["replicates"] is None
    assert client.get(URL, params={"group": "mood"}).status_code == 422


def test_a_filter_finds_runs_by_what_is_in_their_columns_or_says_where_it_is_wrong(
    client: TestClient, database: Database
) -> None:
    small, large = (add_completed(database, 20.0, config=config(lora__r=rank)) for rank in (4, 64))
    found = client.get(URL, params={"filter": "lora.r in (4, 8) or tags = keep"}).json()
    assert [row["id"] for row in found["items"]] == [small]
    assert [row["id"] for row in client.get(URL, params={"filter": "not lora.r < 8"}).json()["items"]] == [large]
    answer = client.get(URL, params={"filter": "lora.r = many"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "filter", "message": "lora.r is a number, and many is none (character 10)"}
    ]


def test_rows_have_their_deltas_to_a_pinned_run(client: TestClient, database: Database) -> None:
    pinned, other = add_completed(database, 20.0), add_completed(database, 15.0)
    query = {"columns": "perplexity,perplexity:best", "sort": "perplexity:best", "baseline": pinned}
    answer = client.get(URL, params=query).json()
    assert [column["name"] for column in answer["columns"]] == ["eval/perplexity", "eval/perplexity:best"]
    assert [column["aggregate"] for column in answer["columns"]] == ["last", "best"]
    delta = {"absolute": -5.0, "relative": -0.25, "interval": None}
    found = {row["id"]: row["deltas"] for row in answer["items"]}
    assert found == {pinned: {}, other: {"eval/perplexity": delta, "eval/perplexity:best": delta}}
    for unknown in (0, 77):
        answer = client.get(URL, params={"baseline": unknown})
        assert [error["field"] for error in answer.json()["errors"]] == ["baseline"]
