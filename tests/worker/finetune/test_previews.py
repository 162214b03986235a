"""A preview is what training reads, to the token: the errand process, which has no torch, against a run's own rows."""

import time
from pathlib import Path
from typing import Any

import pytest

from worker.errand_child import ErrandChild
from worker.finetune.preparing import Prepared, prepare
from worker.finetune.reporter import Silent
from worker.finetune.tokens import Example

MAX_LENGTH = 48  # short enough that some rows are shortened, and some cut


def trained_on(model: Path, rows: Path, make_config: Any, template: str) -> dict[int, Example]:
    """By row, in the order of the data set."""
    config = make_config(data__max_length=MAX_LENGTH, data__prompt_template=template)
    job: Prepared = prepare(config, model_path=model, rows_path=rows, dataset_sha256="0", reporter=Silent())
    return {example.row: example for example in [*job.train, *job.held_out.examples]}


def previews(model: Path, rows: Path, template: str, numbers: list[int], folder: Path) -> list[dict[str, Any]]:
    child = ErrandChild(folder / "errand.log", alone=False, hub_token=False)
    try:
        return [_ask(child, model, rows, template, number) for number in numbers]
    finally:
        child.close()


def _ask(child: ErrandChild, model: Path, rows: Path, template: str, number: int) -> dict[str, Any]:
    request = {"model_path": str(model), "rows": str(rows), "prompt_template": template, "max_length": MAX_LENGTH}
    child.ask({"kind": "preview", "request": request | {"row": number}})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for message in child.said(0.5):
            found: dict[str, Any] = message["answer"]
            return found
    raise AssertionError("no answer")


@pytest.mark.parametrize(("base", "template"), [("chat_llama", "auto"), ("chat_llama", "plain"), ("llama", "auto")])
def test_a_preview_shows_the_tokens_of_the_training(
    base: str, template: str, rows: Path, make_config: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model: Path = request.getfixturevalue(base)
    examples = trained_on(model, rows, make_config, template)
    numbers = sorted(examples)[::4]
    shown = previews(model, rows, template, numbers, tmp_path)
    for number, preview in zip(numbers, shown, strict=True):
        example = examples[number]
        assert [token["id"] for token in preview["tokens"]] == example.ids.tolist()
        assert [token["trained"] for token in preview["tokens"]] == [bool(counted) for counted in example.counted]
    assert any(preview["truncated"]["answer_tokens"] or preview["truncated"]["prompt_tokens"] for preview in shown)
    assert any(token["special"] for token in shown[0]["tokens"])
