import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from app.models import Dataset, Experiment, Run
from app.settings import Settings
from app.web import uploads

URL = "/api/v1/datasets"
GOOD = b'{"instruction": "Ask a", "response": "Tell a"}\n{"instruction": "Ask b", "response": "Tell b"}\n'


def post(client: TestClient, content: bytes = GOOD, filename: str = "pairs.jsonl", **fields: str) -> Response:
    return client.post(URL, files={"file": (filename, content)}, data=fields)


def leftovers(settings: Settings) -> list[str]:
    return [path.name for path in settings.datasets_dir.glob("*") if not path.name.isdecimal()]


def field_errors(response: Response) -> dict[str, str]:
    return {error["field"]: error["message"] for error in response.json()["errors"]}


def test_an_upload_becomes_a_data_set(client: TestClient, settings: Settings) -> None:
    answer = post(client, filename="my pairs.jsonl")
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{URL}/1"
    body = answer.json()
    expected = {"id": 1, "name": "my pairs", "format": "jsonl", "rows": 2, "columns": ["instruction", "response"],
                "skipped_rows": 0, "size_bytes": len(GOOD), "runs": 0}  # fmt: skip
    assert {name: body[name] for name in expected} == expected
    assert body["train_rows"] + body["eval_rows"] == 2
    assert client.get(answer.headers["Location"]).json() == body
    assert client.get(URL).json() == {"items": [body], "next_cursor": None, "total": 1}
    assert leftovers(settings) == []


def test_the_options_of_the_form_are_heeded(client: TestClient) -> None:
    content = b"act;prompt;topic\nAsk;Tell;x\nAsk;;x\n"
    columns = json.dumps({"prompt": "act", "response": "prompt", "group": "topic"})
    body = post(client, content, "a.txt", name="Mine", format="csv", columns=columns, bad_rows="skip").json()
    assert (body["name"], body["rows"], body["skipped_rows"]) == ("Mine", 1, 1)
    (row,) = client.get(f"{URL}/1/rows").json()["items"]
    assert (row["prompt"], row["response"], row["group"]) == ("Ask", "Tell", "x")


def test_a_bad_row_is_a_422_that_names_it_and_nothing_is_kept(client: TestClient, settings: Settings) -> None:
    answer = post(client, GOOD + b'{"instruction": "Ask c"\n')
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Line 3 is not valid JSON" in field_errors(answer)["file"]
    assert client.get(URL).json()["total"] == 0
    assert list(settings.datasets_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "fields", "status", "field"),
    [
        ("pairs.docx", {}, 415, None),
        ("pairs", {}, 415, None),
        ("pairs.jsonl", {"bad_rows": "maybe"}, 422, "bad_rows"),
        ("pairs.jsonl", {"columns": "act"}, 422, "columns"),
        ("pairs.jsonl", {"columns": '{"prompt": "act"}'}, 422, "columns"),
        ("pairs.jsonl", {"format": "xlsx"}, 422, "format"),
        ("pairs.jsonl", {"names": "x"}, 422, "names"),
        ("pairs.jsonl", {"path": "x.jsonl"}, 422, "path"),
    ],
)
def test_what_is_wrong_with_the_form_is_told_by_field(
    client: TestClient, settings: Settings, name: str, fields: dict[str, str], status: int, field: str | None
) -> None:
    answer = post(client, filename=name, **fields)
    assert answer.status_code == status
    assert [error["field"] for error in answer.json()["errors"]] == ([field] if field else [])
    assert list(settings.datasets_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"pr\xe9nom;r\xe9ponse\na;b\n", {}),
        (b"question;answer;not\xe9\na;b;c\n", {}),
        (b"a;b\nc;d\n", {"columns": '{"prompt": "\\ud800", "response": "b"}'}),
        (b"a;b\nc;d\n", {"columns": '{"\\ud800": "a"}'}),
    ],
)
def test_names_that_are_no_text_can_still_be_told_of(
    client: TestClient, content: bytes, fields: dict[str, str]
) -> None:
    answer = post(client, content, "a.csv", **fields)
    assert answer.status_code in (201, 422)
    assert client.get(URL).status_code == 200


def test_a_form_without_a_file_says_that_it_is_needed(client: TestClient) -> None:
    for files in ({"name": (None, "x")}, {"file": ("", b"")}):
        answer = client.post(URL, files=files)
        assert (answer.status_code, list(field_errors(answer))) == (422, ["file"])


def test_two_files_are_refused(client: TestClient) -> None:
    answer = client.post(URL, files=[("file", ("a.jsonl", GOOD)), ("file", ("b.jsonl", GOOD))])
    assert (answer.status_code, list(field_errors(answer))) == (422, ["file"])


def test_what_is_no_form_is_a_415_and_a_broken_one_a_400(client: TestClient, settings: Settings) -> None:
    assert client.post(URL, content=GOOD, headers={"Content-Type": "application/jsonl"}).status_code == 415
    assert client.post(URL, json={}).status_code == 415
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    for content in (
        b"no boundary here",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{',
    ):
        assert client.post(URL, content=content, headers=multipart).status_code == 400
    assert list(settings.datasets_dir.iterdir()) == []


@pytest.fixture
def small_client(app: FastAPI, client: TestClient) -> TestClient:
    """Of a server that takes 10,000 bytes."""
    app.state.settings = app.state.settings.model_copy(update={"max_upload": 10_000})
    return client


def test_a_file_over_the_limit_is_a_413_and_is_not_kept(small_client: TestClient, settings: Settings) -> None:
    assert post(small_client, GOOD + b" " * (10_000 - len(GOOD))).status_code == 201
    answer = post(small_client, GOOD + b" " * (10_001 - len(GOOD)))
    assert answer.status_code == 413
    assert "10,000 bytes" in answer.json()["detail"]
    assert leftovers(settings) == []


def test_long_texts_cannot_stand_in_for_the_file(small_client: TestClient, settings: Settings) -> None:
    answer = small_client.post(URL, files={"name": (None, "x" * (uploads.MAX_TEXT + 1))})
    assert answer.status_code == 413
    assert list(settings.datasets_dir.iterdir()) == []


def test_a_file_arrives_byte_for_byte_however_it_is_cut(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"instruction": f"Frage {n}", "response": "--x\r\n--boundary ä\r" * n + "."} for n in range(60)]
    content = "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows).encode()
    whole = post(client, content).json()
    monkeypatch.setattr(uploads, "BLOCK", 1)
    body = client.build_request("POST", URL, files={"file": ("pairs.jsonl", content)})
    sent = body.read()
    pieces = (sent[at : at + 7] for at in range(0, len(sent), 7))
    answer = client.post(URL, content=pieces, headers={"Content-Type": body.headers["Content-Type"]})
    assert answer.status_code == 201
    assert answer.json()["sha256"] == whole["sha256"]
    assert answer.json()["size_bytes"] == len(content)


def test_a_file_of_the_server_is_imported_by_its_path(app: FastAPI, client: TestClient, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "local.jsonl").write_bytes(GOOD)
    (tmp_path / "secret.jsonl").write_bytes(GOOD)
    (allowed / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    app.state.settings = app.state.settings.model_copy(update={"model_dirs": str(allowed)})
    answer = client.post(URL, files={"path": (None, "local.jsonl")})
    assert (answer.status_code, answer.json()["name"]) == (201, "local")
    assert (allowed / "local.jsonl").read_bytes() == GOOD
    for path in (str(tmp_path / "secret.jsonl"), "link.jsonl", "../secret.jsonl"):
        answer = client.post(URL, files={"path": (None, path)})
        assert (answer.status_code, list(field_errors(answer))) == (422, ["path"])


def test_rows_are_shown_by_page_and_search(dataset: Dataset, client: TestClient) -> None:
    first = client.get(f"{URL}/1/rows", params={"limit": 50}).json()
    second = client.get(f"{URL}/1/rows", params={"limit": 50, "cursor": first["next_cursor"]}).json()
    rows = first["items"] + second["items"]
    assert [row["row"] for row in rows] == list(range(60))
    assert (second["next_cursor"], first["total"]) == (None, 60)
    assert sum(row["side"] == "held_out" for row in rows) == dataset.eval_rows
    found = client.get(f"{URL}/1/rows", params={"search": "count two NINE"}).json()["items"]
    assert [row["prompt"] for row in found] == ["Count two nine"]
    assert client.get(f"{URL}/1/rows", params={"offset": 58}).json()["items"] == rows[58:]
    assert client.get(f"{URL}/1/rows", params={"cursor": "nonsense"}).status_code == 422


def test_a_data_set_in_use_cannot_be_deleted(dataset: Dataset, app: FastAPI, client: TestClient) -> None:
    with app.state.db.writing() as session:
        session.add(Experiment(id=1, name="e"))
        session.add(Run(id=1, experiment_id=1, dataset_id=1, name="r", config={}))
        session.commit()
    assert client.get(f"{URL}/1").json()["runs"] == 1
    answer = client.delete(f"{URL}/1")
    assert answer.status_code == 409
    assert "run 1" in answer.json()["detail"]
    with app.state.db.writing() as session:
        session.delete(session.get_one(Run, 1))
        session.commit()
    assert client.delete(f"{URL}/1").status_code == 204
    for call in (client.get(f"{URL}/1"), client.get(f"{URL}/1/rows"), client.delete(f"{URL}/1")):
        assert call.status_code == 404


def test_models_to_pick_from_are_listed(client: TestClient) -> None:
    items = client.get("/api/v1/models").json()["items"]
    by_id: dict[str, dict[str, Any]] = {item["id"]: item for item in items}
    assert by_id["TinyLlama/TinyLlama-1.1B-Chat-v1.0"]["kind"] == "hub"
    assert all(item["kind"] in ("sample", "hub") for item in items)


def test_the_documentation_shows_the_form(client: TestClient) -> None:
    call = client.get("/openapi.json").json()["paths"][URL]["post"]
    form = call["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert set(form) == {"file", "path", "name", "format", "columns", "bad_rows"}
    assert {"201", "400", "413", "415", "422", "503"} <= set(call["responses"])


def test_appending_makes_a_third_data_set_and_moves_no_row(client: TestClient, settings: Settings) -> None:
    conversation = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    other = {"instruction": "Ask c", "input": "of this", "response": "Tell c, ü", "group": "topic"}
    post(client)
    post(client, "".join(json.dumps(row) + "\n" for row in (conversation, other)).encode(), "more.jsonl")
    answer = client.post(f"{URL}/1/append", json={"dataset": 2})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["Location"] == f"{URL}/3"
    assert (made["name"], made["rows"]) == ("pairs + more", 4)
    assert [part["id"] for part in made["statistics"]["made_of"]] == [1, 2]
    rows, keys = (
        [(settings.dataset_dir(number) / name).read_bytes() for number in (1, 2, 3)]
        for name in ("rows.jsonl", "keys.bin")
    )
    assert rows[0] + rows[1] == rows[2]
    assert keys[0] + keys[1] == keys[2], "what either held out stays held out"
    sides = [[row["side"] for row in client.get(f"{URL}/{number}/rows").json()["items"]] for number in (1, 2, 3)]
    assert sides[0] + sides[1] == sides[2]
    assert client.get(URL).json()["total"] == 3
    assert leftovers(settings) == []


@pytest.mark.parametrize(("first", "other", "status"), [(1, 1, 422), (1, 9, 422), (9, 1, 404)])
def test_only_two_different_data_sets_can_be_joined(client: TestClient, first: int, other: int, status: int) -> None:
    post(client)
    answer = client.post(f"{URL}/{first}/append", json={"dataset": other})
    assert answer.status_code == status
    assert [error["field"] for error in answer.json()["errors"]] == ["dataset"] * (status == 422)
    assert client.get(URL).json()["total"] == 1
