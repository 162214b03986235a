"""docs/studies.md says what the form and the API take."""

import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.models import Dataset
from app.settings import ROOT
from app.sweep import MAX_RUNS
from app.web.study_form import METHODS, read_axis, read_runs

TEXT = (ROOT / "docs/studies.md").read_text(encoding="utf-8")
AXES = re.findall(r"^\| `([a-z_.]+)` \| `([^`]+)` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("name", "typed"), AXES)
def test_what_the_table_shows_can_be_typed(name: str, typed: str) -> None:
    assert read_axis(name, typed)


def test_there_is_a_table() -> None:
    assert len(AXES) == 6


def test_the_rest_of_the_text_is_that_of_the_code() -> None:
    assert f"At most {MAX_RUNS} runs" in TEXT
    assert all(text.partition(":")[0].partition(",")[0] in TEXT for text in METHODS.values())
    line = re.search(r"`(name \| [^`]+)`", TEXT)
    assert line
    assert read_runs(line[1])[0].set == {"lora.r": 16, "lora.lora_alpha": 32}


def test_the_request_is_answered(client: TestClient, dataset: Dataset) -> None:
    body: dict[str, Any] = json.loads(TEXT.partition("-d '")[2].partition("'\n")[0])
    answer = client.post("/api/v1/sweeps?dry_run=true", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["runs"]) == (1 + 2 + 3) * 3
