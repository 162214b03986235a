"""Greedy answers: the same text whatever the batch, from the tuned weights and never from re-quantised ones."""

import json
from array import array
from pathlib import Path
from typing import Any

import pytest
import torch

from worker.finetune import generation, writers
from worker.finetune.adapter import adapter_state, restore_adapter
from worker.finetune.evaluation import Measurement
from worker.finetune.generation import Answer, Decoding, generate
from worker.finetune.likelihood import likelihood
from worker.finetune.lines import left_padded
from worker.finetune.preparing import Prepared, prepare
from worker.finetune.quantization import quantised_layers
from worker.finetune.reporter import Silent
from worker.finetune.running import Clock, train_adapter
from worker.finetune.writers import Writer, base_writer, plain_writer, tuned_writer


@pytest.fixture(scope="module", params=["nf4", "int8", "none"])
def trained(
    request: Any, llama: Path, rows: Path, make_config: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Prepared, Any]:
    config = make_config(
        quantization__method=request.param, training__num_train_epochs=12, evaluation__max_eval_rows=12
    )
    job = prepare(config, model_path=llama, rows_path=rows, dataset_sha256=None, reporter=Silent())
    nothing = Measurement({}, [])
    folder = tmp_path_factory.mktemp("run")
    run = train_adapter(job, nothing, output_dir=folder, resume=False, clock=Clock(), reporter=Silent())
    return job, run.learner.model


def answers(writer: Writer, job: Prepared, size: int, monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    monkeypatch.setattr(generation, "LARGEST_BATCH", {"cpu": size})
    decoding = Decoding(12, (1,), 1, torch.float32)
    return generate(writer, job.held_out.questions, decoding, job.tokenizer, Silent())


@pytest.mark.parametrize("way", ["fast", "plain"])
def test_answers_do_not_depend_on_the_batch(way: Any, trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job, model = trained
    writer = tuned_writer(model, torch.float32, way)
    alone = answers(writer, job, 1, monkeypatch)
    assert any(text for text, _ in alone)
    assert answers(writer, job, 5, monkeypatch) == alone


def test_the_merged_copy_answers_as_the_quantised_model_with_its_adapter(
    trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, model = trained
    before = adapter_state(model)
    writer = tuned_writer(model, torch.float32)
    assert writer.leaving
    assert not list(quantised_layers(writer.model))
    assert not any("lora" in name for name, _ in writer.model.named_parameters())
    assert answers(writer, job, 5, monkeypatch) == answers(plain_writer(model), job, 5, monkeypatch)
    ours, copied = (
        likelihood(m, job.held_out.examples, pad_id=1, dtype=torch.float32, reporter=Silent()).loss
        for m in (model, writer.model)
    )
    # int8 rounds its inputs as well, which a dequantised copy does not.
    assert copied == pytest.approx(ours, rel=1e-5 if job.config.quantization.method != "int8" else 5e-3)
    assert all(torch.equal(tensor, before[name]) for name, tensor in adapter_state(model).items())


def test_without_memory_for_a_copy_the_model_itself_answers(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = trained
    monkeypatch.setattr(writers, "free_bytes", lambda _: 1000)
    writer = tuned_writer(model, torch.float32)
    assert writer.model is model
    assert "no memory for a copy" in writer.path


def test_a_batch_that_does_not_fit_is_halved(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job, model = trained
    writer = plain_writer(model)
    expected = answers(writer, job, 2, monkeypatch)
    real, sizes = generation._answers, []

    def small_memory(writer: Writer, rows: Any, *rest: Any) -> Any:
        sizes.append(len(rows))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(writer, rows, *rest)

    monkeypatch.setattr(generation, "_answers", small_memory)
    assert answers(writer, job, 9, monkeypatch) == expected
    assert sizes[:3] == [len(expected), len(expected) // 2, len(expected) // 4]


def test_prompts_are_padded_on_the_left() -> None:
    ids, mask = left_padded([array("i", [3, 4, 5, 6, 7]), array("i", [0, 5, 6])], 9)
    assert ids[1].tolist() == [9, 9, 0, 5, 6]
    assert mask[1].tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("way", ["fast", "plain"])
def test_a_model_that_answers_longer_than_its_context_is_held_to_it(way: Any, trained: Any) -> None:
    """As far as each row's own prompt leaves room, whoever stands in its batch."""
    job, model = trained
    writer = tuned_writer(model, torch.float32, way)
    decoding = Decoding(40, (2**15,), 1, torch.float32)
    questions = [array("i", [0, *range(5, 5 + length)]) for length in (245, 10, 235)]
    together = generate(writer, questions, decoding, job.tokenizer, Silent())
    assert together == [generate(writer, [q], decoding, job.tokenizer, Silent())[0] for q in questions]
    assert not any(answer.ended for answer in together)
    assert generation.room(model, 246, 40) == 10


def test_an_answer_says_whether_it_came_to_its_own_end(trained: Any) -> None:
    job, model = trained
    question = job.held_out.questions[0]
    writer = tuned_writer(model, torch.float32)

    def answered(most: int, stops: tuple[int, ...]) -> Answer:
        return generate(writer, [question], Decoding(most, stops, 1, torch.float32), job.tokenizer, Silent())[0]

    first = model.generate(input_ids=torch.tensor([list(question)]), max_new_tokens=1, do_sample=False)[0, -1].item()
    assert answered(3, (first,)).ended
    assert not answered(3, (2**15,)).ended


def test_restoring_an_adapter_brings_its_answers_back(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job, model = trained
    state, expected = adapter_state(model), answers(tuned_writer(model, torch.float32), job, 5, monkeypatch)
    restore_adapter(model, {name: torch.zeros_like(tensor) for name, tensor in state.items()})
    assert answers(tuned_writer(model, torch.float32), job, 5, monkeypatch) != expected
    restore_adapter(model, state)
    assert answers(tuned_writer(model, torch.float32), job, 5, monkeypatch) == expected


def test_sampling_settings_that_come_with_a_model_do_not_reach_its_answers(
    make_model: Any, rows: Path, make_config: Any
) -> None:
    """Nor do they make it stop elsewhere, but for the tokens that it itself ends answers with."""

    def answered(settings: dict[str, Any]) -> tuple[list[Answer], tuple[int, ...]]:
        model = make_model()
        (model / "generation_config.json").write_text(json.dumps(settings))
        job = prepare(make_config(), model_path=model, rows_path=rows, dataset_sha256=None, reporter=Silent())
        writer = base_writer(job.base.model, torch.float32)
        return generate(writer, job.held_out.questions, job.decoding, job.tokenizer, Silent()), job.base.stop_ids

    plain, _ = answered({})
    loud = {"repetition_penalty": 9.0, "do_sample": True, "temperature": 3.0, "suppress_tokens": list(range(20, 200))}
    said, stops = answered(loud | {"eos_token_id": [1, 300]})
    assert said == plain
    assert stops == (1, 300)


def test_perplexity_is_taken_from_the_copy_only_where_it_is_the_same(trained: tuple[Prepared, Any]) -> None:
    """An 8-bit layer rounds its inputs, which a copy in float32 does not."""
    job, model = trained
    writer = tuned_writer(model, torch.float32)
    assert writer.exact == (job.config.quantization.method != "int8")

    def loss(scored: Any) -> float:
        return likelihood(
            scored, job.held_out.examples, pad_id=1, dtype=torch.float32, reporter=Silent(), paths=job.paths
        ).loss

    off = abs(loss(writer.model) / loss(model) - 1)
    assert (off < 1e-6) == writer.exact
