"""Three numbers a row tell what fits: the same as shortening the tokens themselves."""

import random
from array import array
from pathlib import Path

import pytest

from app.data import token_counts, token_lengths, token_reader
from app.data.token_counts import Counts, Lost
from app.errors import Invalid
from app.settings import Settings
from worker.finetune.errors import FinetuneError
from worker.finetune.tokens import Encoded


def encoded(prompt: int, free: int, answer: int) -> Encoded:
    marks = [1] * free + [0] * (prompt - free)
    random.Random(prompt).shuffle(marks)
    return Encoded(0, array("i", range(prompt)), bytes(marks), bytes(prompt), array("i", range(answer)))


def by_tokens(row: Encoded, max_length: int) -> Lost:
    try:
        example = row.fit(max_length)
    except FinetuneError:
        return Lost(-1, -1, no_room=True)
    assert len(example) <= max_length
    return Lost(len(row.prompt) - example.answer_at, len(row.answer) - len(example.answer_ids), no_room=False)


def test_what_a_row_loses_is_what_its_tokens_lose() -> None:
    draw = random.Random(1)
    for _ in range(2000):
        prompt, answer, max_length = draw.randrange(1, 60), draw.randrange(1, 60), draw.randrange(16, 64)
        free = draw.randrange(prompt + 1)
        lost = token_counts.fit(prompt, free, answer, max_length)
        expected = by_tokens(encoded(prompt, free, answer), max_length)
        assert lost == expected or (lost.no_room and expected.no_room)


def test_counts_come_back_from_their_file(tmp_path: Path) -> None:
    counts = Counts("chat")
    for row in ((5, 3, 10), (300, 250, 20), (8, 0, 400)):
        counts.add(*row)
    file = token_counts.path(tmp_path, "version")
    assert token_lengths.measure(file, 128) is None
    token_counts.write(file, counts)
    found = token_lengths.measure(file, 128)
    assert found
    assert (found.rows, found.fitting, found.shortened, found.cut, found.no_room) == (3, 1, 1, 1, 0)
    assert (found.whole["min"], found.whole["max"]) == (15, 408)
    wider = token_lengths.measure(file, 512)
    assert wider
    assert wider.fitting == 3


def test_the_version_changes_with_the_tokenizer_and_the_template(settings: Settings, tmp_path: Path) -> None:
    model = tmp_path / "models" / "mine"
    model.mkdir(parents=True)
    (model / "tokenizer.json").write_text("{}")
    settings = settings.model_copy(update={"model_dirs": str(tmp_path / "models")})
    first = token_reader.find(settings, "mine", None, "auto").version
    assert token_reader.find(settings, "mine", None, "auto").version == first
    assert token_reader.find(settings, "mine", None, "plain").version != first
    (model / "tokenizer.json").write_text("{ }")
    assert token_reader.find(settings, "mine", None, "auto").version != first


def test_a_model_that_is_not_here_is_refused_by_its_field(settings: Settings) -> None:
    for model in ("organisation/away", "../out", "sample/none"):
        with pytest.raises(Invalid) as refused:
            token_reader.find(settings, model, None, "auto")
        assert refused.value.errors[0].field == "model"
