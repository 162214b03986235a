"""A prompt answered by base and adapters: the very answers that evaluation kept, token by token."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from app.data.rows import Row, read_rows
from app.generation import Generation
from worker.finetune import answering, saved_adapter, streaming
from worker.finetune.answering import Answering, Side
from worker.finetune.errors import FinetuneError
from worker.finetune.generation import Decoding
from worker.finetune.quantization import quantised_layers
from worker.finetune.streaming import Said

SIXTEEN = Generation(max_new_tokens=16)


@pytest.fixture(scope="module")
def other_run(train_clinic: Callable[..., Any]) -> Any:
    return train_clinic(lora__use_dora=True, training__learning_rate=2e-2, quantization__method="none")


def sides(run: Any) -> list[Side]:
    return [Side(run.config, None), Side(run.config, run.adapter)]


def texts(model: Path, row: Row, asked: list[Side], generation: Generation = SIXTEEN) -> list[str]:
    return [said.text for said in Answering(model, row, generation).answer(asked, lambda *_: None)]


def test_greedy_answers_are_those_that_the_runs_were_measured_by(clinic: Path, clinic_run: Any, other_run: Any) -> None:
    """Several adapters, of bases quantised in two ways, one after the other on what is loaded."""
    rows = list(read_rows(clinic_run.rows))
    kept = list(zip(clinic_run.predictions, other_run.predictions, strict=True))[:3]
    for ours, theirs in kept:
        answers = texts(
            clinic, rows[ours["row"]], [*sides(clinic_run), *sides(other_run), Side(clinic_run.config, None)]
        )
        assert answers == [ours["base"], ours["finetuned"], theirs["base"], theirs["finetuned"], ours["base"]]
    assert any(len({ours["base"], ours["finetuned"], theirs["finetuned"]}) == 3 for ours, theirs in kept)


def test_the_model_is_given_what_evaluation_gave_it(clinic: Path, clinic_run: Any) -> None:
    rows, kept = list(read_rows(clinic_run.rows)), clinic_run.predictions[0]
    question = Answering(clinic, rows[kept["row"]], SIXTEEN).question(sides(clinic_run)[1])
    assert question.text == kept["prompt"]
    assert not question.shortened
    long = Answering(clinic, Row(instruction="Is that so? " * 200), SIXTEEN).question(sides(clinic_run)[1])
    assert long.shortened
    assert len(long.ids) == 128 - 16


def test_an_answer_grows_token_by_token_and_says_how_it_ended(clinic: Path, clinic_run: Any) -> None:
    heard: list[tuple[int, Said]] = []
    row = Row(instruction="What can be done about lupus?")
    answers = Answering(clinic, row, Generation(max_new_tokens=40)).answer(
        sides(clinic_run), lambda at, said: heard.append((at, said))
    )
    for at, answer in enumerate(answers):
        grown = [said for who, said in heard if who == at]
        assert [said.tokens for said in grown] == [*range(1, answer.tokens + 1), answer.tokens]
        assert all(answer.text.startswith(said.text) for said in grown)
        assert [said.ending for said in grown[:-1]] == [None] * answer.tokens
        assert grown[-1] == answer
        assert answer.ending == ("length" if answer.tokens == 40 else "end")
    assert [who for who, _ in heard] == sorted(who for who, _ in heard)
    short = Answering(clinic, row, Generation(max_new_tokens=3)).answer(sides(clinic_run), lambda *_: None)
    assert [(said.tokens, said.ending) for said in short] == [(3, "length")] * 2


def test_draws_are_repeatable_and_the_same_for_every_model(clinic: Path, clinic_run: Any) -> None:
    row, base = Row(instruction="Who gets gout?"), Side(clinic_run.config, None)

    def drawn(**settings: Any) -> list[str]:
        return texts(clinic, row, [base, base], Generation(max_new_tokens=12, **settings))

    hot = drawn(temperature=1.5, seed=1)
    assert hot[0] == hot[1]
    assert hot == drawn(temperature=1.5, seed=1)
    assert hot != drawn(temperature=1.5, seed=2)
    assert drawn(temperature=1.5, top_p=1e-6) == drawn()


def test_among_as_many_tokens_as_there_are() -> None:
    """Left to itself transformers draws among the fifty likeliest, which no setting of ours says."""
    decoding = Decoding(4, (1,), 1, torch.float32)
    assert streaming._config(Generation(temperature=1.0), decoding, 4).top_k == 0


def test_an_adapter_leaves_the_base_as_it_was_biases_too(
    make_model: Any, rows: Path, make_config: Any, tmp_path: Path
) -> None:
    from worker.finetune.pipeline import finetune
    from worker.finetune.reporter import Silent

    model = make_model("qwen2")
    config = make_config(lora__bias="all", training__learning_rate=0.05)
    finetune(config, model_path=model, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    trained, untrained = Side(config, tmp_path / "artifacts" / "adapter.zip"), Side(config, None)
    first, tuned, again = texts(model, next(iter(read_rows(rows))), [untrained, trained, untrained])
    assert first == again != tuned


def test_without_room_for_whole_weights_the_quantised_base_answers(
    clinic: Path, clinic_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = next(iter(read_rows(clinic_run.rows)))
    expected = texts(clinic, row, sides(clinic_run))
    seen: list[bool] = []
    monkeypatch.setattr(answering, "whole_in_place", lambda model, _: model)
    monkeypatch.setattr(
        answering, "write", lambda model, *rest: (seen.append(any(quantised_layers(model))), write(model, *rest))[1]
    )
    assert texts(clinic, row, sides(clinic_run)) == expected
    assert seen == [True, True]


write = answering.write


def test_out_of_memory_says_what_helps_an_answer(
    clinic: Path, clinic_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(answering, "write", full)
    with pytest.raises(FinetuneError) as caught:
        texts(clinic, Row(instruction="Who?"), sides(clinic_run))
    assert caught.value.code == "out_of_memory"
    assert "fewer new tokens" in caught.value.hint


def test_a_damaged_adapter_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "adapter.zip").write_bytes(b"PK nothing")
    with pytest.raises(FinetuneError) as caught:
        saved_adapter.read(tmp_path / "adapter.zip")
    assert caught.value.code == "adapter_unreadable"
