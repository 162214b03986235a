"""The REST contract against /openapi.json: every call, its answer's fields, its errors. Names here do not change."""

from typing import Any

import pytest
from fastapi import FastAPI

LISTED = {"items", "next_cursor", "total"}
RUN = {
    "id", "name", "origin", "experiment", "status", "stage", "cancel_requested", "attempt", "warnings", "progress",
    "config", "notes", "tags", "created_at", "started_at", "finished_at", "error", "results", "resources",
    "tries_again_in",
}  # fmt: skip
DATASET = {
    "id", "name", "sha256", "format", "rows", "train_rows", "eval_rows", "columns", "skipped_rows", "warnings"
}  # fmt: skip
REPORT = {
    "experiment", "setup", "table", "best", "base_vs_finetuned", "findings", "memory", "time", "recommendations",
    "next", "caveats", "overfitting", "trade_offs",
}  # fmt: skip
FINDING = {
    "id", "factor", "linked", "baseline_run", "run", "metric", "value_from", "value_to", "relative_change", "better",
    "interval", "memory_change_bytes", "time_change_seconds", "at_edge", "text",
}  # fmt: skip
COMPARISON = {"baseline", "runs", "missing", "verdict", "settings", "metrics", "resources", "series", "apart"}
VIEW = {"id", "name", "query", "created_at"}
EXPERIMENT = {"id", "name", "description", "baseline_run"}
ERRAND = {"id", "kind", "run", "request", "status", "waits_for", "answer", "error", "created_at", "finished_at"}

# method, path, status of success, fields of the answer, statuses of its errors
CALLS: tuple[tuple[str, str, int, set[str], set[int]], ...] = (
    ("get", "/config/schema", 200, set(), set()),
    ("get", "/models", 200, LISTED, set()),
    ("post", "/datasets", 201, DATASET, {413, 415, 422}),
    ("get", "/datasets", 200, LISTED, set()),
    ("get", "/datasets/{dataset_id}", 200, DATASET, {404}),
    ("get", "/datasets/{dataset_id}/rows", 200, LISTED, {404}),
    ("get", "/datasets/{dataset_id}/rows.jsonl", 200, set(), {404}),
    ("post", "/datasets/{dataset_id}/append", 201, DATASET, {404, 422, 503}),
    ("delete", "/datasets/{dataset_id}", 204, set(), {404, 409}),
    ("post", "/experiments", 201, EXPERIMENT, {409, 422}),
    ("get", "/experiments", 200, LISTED, set()),
    ("get", "/experiments/{experiment_id}", 200, EXPERIMENT, {404}),
    ("patch", "/experiments/{experiment_id}", 200, EXPERIMENT, {404, 409, 422}),
    ("delete", "/experiments/{experiment_id}", 204, set(), {404, 409}),
    ("get", "/experiments/{experiment_id}/report", 200, REPORT, {404, 422}),
    ("get", "/experiments/{experiment_id}/report.{ending}", 200, set(), {404, 422}),
    ("post", "/imports", 201, {"experiment", "runs", "warnings"}, {400, 413, 415, 422, 503}),
    ("post", "/runs", 201, RUN, {400, 409, 413, 415, 422, 503}),
    ("post", "/sweeps", 201, {"runs"}, {400, 409, 413, 415, 422, 503}),
    ("post", "/estimates", 200, {"device", "memory", "time"}, {400, 413, 415, 422}),
    ("get", "/runs", 200, LISTED, {422}),
    ("post", "/runs/bulk", 204, set(), {404, 409, 422}),
    ("get", "/runs/{run_id}", 200, RUN, {404}),
    ("patch", "/runs/{run_id}", 200, RUN, {404, 422}),
    ("delete", "/runs/{run_id}", 204, set(), {404, 409}),
    ("post", "/runs/{run_id}/cancel", 202, RUN, {404, 409}),
    ("post", "/runs/{run_id}/retry", 202, RUN, {404, 409}),
    ("get", "/queue", 200, LISTED | {"running"}, set()),
    ("patch", "/queue", 200, LISTED, {409, 422}),
    ("get", "/runs/{run_id}/metrics", 200, {"series"}, {404, 422}),
    ("get", "/history", 200, {"series"}, {422}),
    ("get", "/runs/{run_id}/logs", 200, {"lines", "offsets", "next", "size"}, {404, 422}),
    ("get", "/runs/{run_id}/config.json", 200, set(), {404}),
    ("get", "/runs/{run_id}/lineage", 200, {"cloned_from", "source", "clones", "sweep", "siblings"}, {404}),
    ("get", "/runs/{run_id}/events", 200, set(), {404}),
    ("get", "/events", 200, set(), {422}),
    ("get", "/runs/{run_id}/predictions", 200, LISTED, {404, 422}),
    ("get", "/runs/{run_id}/attempts", 200, LISTED, {404}),
    ("get", "/runs/{run_id}/artifacts", 200, LISTED, {404}),
    ("get", "/runs/{run_id}/artifacts/{name}", 200, set(), {404}),
    ("post", "/previews", 200, {"text", "tokens", "truncated"}, {422, 503}),
    ("post", "/datasets/{dataset_id}/lengths", 200, {"rows", "shortened", "cut", "whole"}, {404, 422, 503}),
    ("get", "/errands/{errand_id}", 200, ERRAND, {404}),
    ("delete", "/errands/{errand_id}", 200, ERRAND, {404}),
    ("post", "/tryouts", 202, ERRAND, {400, 413, 415, 422, 503}),
    ("get", "/runs/{run_id}/exports", 200, LISTED, {404}),
    ("post", "/runs/{run_id}/exports", 202, ERRAND, {400, 404, 409, 413, 415, 422, 503}),
    ("post", "/runs/{run_id}/exports/pushes", 202, ERRAND, {400, 404, 409, 413, 415, 422, 503}),
    ("get", "/runs/{run_id}/exports/merged/{name}", 200, set(), {404}),
    ("delete", "/runs/{run_id}/exports/merged", 204, set(), {404, 409}),
    ("get", "/compare/rows", 200, LISTED | {"sides", "left_out"}, {422}),
    ("get", "/leaderboard", 200, LISTED | {"groups", "columns", "unranked"}, {422}),
    ("get", "/compare", 200, COMPARISON, {422}),
    ("get", "/views", 200, LISTED, set()),
    ("post", "/views", 201, VIEW, {400, 413, 415, 422}),
    ("get", "/views/{view_id}", 200, VIEW, {404}),
    ("delete", "/views/{view_id}", 204, set(), {404}),
    ("get", "/workers", 200, LISTED, set()),
    ("get", "/version", 200, {"version"}, set()),
)
QUERIES = {
    "/runs": {"experiment", "status", "filter", "sort", "limit", "cursor"},
    "/runs/{run_id}/metrics": {"name", "max_points"},
    "/history": {"runs", "name", "max_points"},
    "/runs/{run_id}/logs": {"after", "search"},
    "/runs/{run_id}/predictions": {"sort", "limit", "cursor"},
    "/experiments/{experiment_id}/report": {"best_by"},
    "/leaderboard": {"experiment", "filter", "sort", "columns", "group", "baseline", "limit", "cursor"},
    "/events": {"runs"},
    "/compare": {"runs", "baseline"},
}
PARTS = {
    "Progress": {"step", "total_steps", "epoch", "fraction", "eta_seconds"},
    "RunError": {"code", "title", "detail", "hint"},
    "Results": {"base", "finetuned", "improvement", "eval_rows", "eval_tokens", "fingerprint", "perplexity_key",
                "baseline_key"},
    "Scores": {"perplexity", "bleu", "rouge_l", "loss"},
    "Improvement": {"perplexity", "bleu", "rouge_l"},
    "Resources": {"device", "memory_kind", "peak_memory_bytes", "mean_memory_bytes", "train_seconds",
                  "seconds_per_epoch", "seconds_per_1000_rows", "seconds_per_1000_examples", "evaluation_seconds",
                  "tokens_per_second", "trainable_parameters", "total_parameters", "effective_batch_size"},
    "Series": {"name", "steps", "values", "times", "points", "sampled"},
    "Prediction": {"row", "prompt", "reference", "base", "finetuned", "prompt_tokens", "reference_tokens", "scores"},
    "Artifact": {"name", "size_bytes", "sha256", "media_type"},
    "Finding": FINDING,
    "Recommendation": {"text", "because"},
    "NextStep": {"text", "config_changes", "of", "seeds"},
    "Launch": {"experiment", "name", "notes", "tags", "config", "cloned_from"},
    "Sweep": {"experiment", "config", "axes", "method", "max_runs", "linked", "seeds", "runs"},
}  # fmt: skip


@pytest.fixture
def spec(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def properties(spec: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema.get("properties", {}))


@pytest.mark.parametrize(("method", "path", "success", "fields", "errors"), CALLS, ids=lambda value: str(value)[:40])
def test_the_call_is_there_and_answers_as_promised(
    spec: dict[str, Any], method: str, path: str, success: int, fields: set[str], errors: set[int]
) -> None:
    call = spec["paths"]["/api/v1" + path][method]
    answers = call["responses"]
    assert str(success) in answers
    if fields:
        assert properties(spec, answers[str(success)]["content"]["application/json"]["schema"]) >= fields
    assert {int(status) for status in answers} >= errors
    for status in errors:
        assert "application/problem+json" in answers[str(status)]["content"]
    assert call["tags"], "grouped on the page"


@pytest.mark.parametrize(("path", "names"), QUERIES.items())
def test_the_query_is_documented(spec: dict[str, Any], path: str, names: set[str]) -> None:
    parameters = spec["paths"]["/api/v1" + path]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters if parameter["in"] == "query"} >= names


@pytest.mark.parametrize(("name", "fields"), PARTS.items())
def test_the_parts_have_their_fields(spec: dict[str, Any], name: str, fields: set[str]) -> None:
    assert set(spec["components"]["schemas"][name]["properties"]) >= fields


def test_a_launch_takes_an_idempotency_key(spec: dict[str, Any]) -> None:
    parameters = spec["paths"]["/api/v1/runs"]["post"]["parameters"]
    assert [(p["in"], p["name"].lower()) for p in parameters] == [("header", "idempotency-key")]


def test_a_launch_documents_every_setting(spec: dict[str, Any]) -> None:
    config = spec["components"]["schemas"]["Launch"]["properties"]["config"]
    assert properties(spec, config) == {"model", "quantization", "lora", "data", "training", "evaluation"}


def test_nothing_is_there_that_the_contract_does_not_know(spec: dict[str, Any]) -> None:
    known = {(method, "/api/v1" + path) for method, path, *_ in CALLS} | {("get", "/healthz"), ("get", "/readyz")}
    assert {(method, path) for path, calls in spec["paths"].items() for method in calls} == known


def test_no_call_promises_the_frameworks_own_errors(spec: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in spec["components"]["schemas"]
    assert not [path for path, calls in spec["paths"].items() if "HTTPValidationError" in str(calls)]
