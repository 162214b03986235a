"""Answers of which finished rows leave: token for token those of transformers' `generate`, on each architecture."""

import random
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from worker.finetune import cutting, generation, greedy, products
from worker.finetune.adapter import attach
from worker.finetune.errors import Stopped
from worker.finetune.greedy import Row, answer
from worker.finetune.lines import Lines
from worker.finetune.model import load_base
from worker.finetune.reporter import Silent
from worker.finetune.writers import Writer, base_writer, tuned_writer

Questions = list["array[int]"]
MOST = 24

# What differs from the Llama that the fixture makes: grouped heads, windows in all layers and in some, positions that
# are learnt, turned in part or added to the scores, capped scores.
SHAPES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 12},
    "qwen2": {"head_dim": "default"},
    "qwen3": {},
    "gemma": {},
    "gemma2": {"query_pre_attn_scalar": 16, "sliding_window": 12},
    "phi": {"head_dim": "default", "num_key_value_heads": 4},
    "phi3": {"head_dim": "default"},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "gpt_neox": {"head_dim": "default"},
    "bloom": {"n_head": 4, "n_layer": 2},
}


def questions(count: int = 10) -> Questions:
    draw = random.Random(1)
    return [array("i", [draw.randrange(5, 300) for _ in range(draw.randint(2, 30))]) for _ in range(count)]


@torch.no_grad()
def by_transformers(model: Any, question: "array[int]", stops: Sequence[int]) -> list[int]:
    """One row by itself, from the model as it is trained."""
    settings = GenerationConfig(max_new_tokens=MOST, do_sample=False, eos_token_id=list(stops), pad_token_id=1)
    ids = torch.tensor([list(question)])
    out = model.eval().generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    return list(out[0, len(question) :].tolist())


@torch.no_grad()
def ours(writer: Writer, asked: Questions, stops: Sequence[int], reporter: Any = None) -> list[list[int]]:
    rows = [Row(number, question, MOST) for number, question in enumerate(asked)]
    said = {row.number: row.said for row in answer(writer.model, rows, stops, reporter or Silent())}
    return [said[number] for number in range(len(asked))]


def tuned(kind: str, make_model: Callable[..., Path], make_config: Any) -> Any:
    """A 4-bit base under an adapter that changes what it says."""
    config, cpu = make_config(), torch.device("cpu")
    folder = make_model(kind, **SHAPES[kind])
    base = load_base(folder, config.quantization, dtype=torch.float32, device=cpu, stop_ids=(1,))
    model = attach(base.model, config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.5)
    return model


def stops_of(answers: list[list[int]]) -> list[int]:
    """Tokens that end some of these early, some late, and some not at all."""
    return sorted({said[at] for at, said in zip((1, 4, 9, 15), answers, strict=False)})


def up_to(said: list[int], stops: list[int]) -> list[int]:
    """What a greedy answer is where these end it."""
    ends = [at for at, token in enumerate(said) if token in stops]
    return said[: ends[0] + 1] if ends else said


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines were kept, each time that some were given up."""
    kept: list[int] = []
    real = Lines.keep
    monkeypatch.setattr(Lines, "keep", lambda self, lines: (kept.append(len(lines)), real(self, lines))[1])
    return kept


@pytest.mark.parametrize("kind", SHAPES)
def test_the_merged_copy_says_token_for_token_what_the_4_bit_model_says(
    kind: str, make_model: Any, make_config: Any, left: list[int]
) -> None:
    model, asked = tuned(kind, make_model, make_config), questions()
    endless = [by_transformers(model, question, (999,)) for question in asked]
    expected, stops = [up_to(said, stops_of(endless)) for said in endless], stops_of(endless)
    writer = tuned_writer(model, torch.float32)
    assert writer.path.startswith("from a dequantised copy, adapter merged; finished rows leave")
    left.clear()
    assert ours(writer, asked, stops) == expected
    assert len(set(map(len, expected))) > 2
    assert left


def test_many_rows_multiplied_by_onednn_say_token_for_token_what_the_4_bit_model_says(
    make_model: Any, make_config: Any, left: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "is_quicker", lambda: True)
    model, asked = tuned("llama", make_model, make_config), questions(40)
    endless = [by_transformers(model, question, (999,)) for question in asked]
    stops = stops_of(endless)
    writer = tuned_writer(model, torch.float32)
    assert "by oneDNN" in writer.path
    left.clear()
    assert ours(writer, asked, stops) == [up_to(said, stops) for said in endless]
    assert max(left) >= products.LINES


def test_prompts_that_are_read_in_several_passes_are_answered_alike(
    make_model: Any, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("llama", "mistral"):
        model, asked = tuned(kind, make_model, make_config), questions()
        writer = tuned_writer(model, torch.float32)
        expected = ours(writer, asked, (7, 8))
        monkeypatch.setattr(greedy, "TOKENS", {"cpu": 40})
        assert ours(writer, asked, (7, 8)) == expected
        monkeypatch.undo()


@torch.no_grad()
def test_who_is_at_the_end_of_the_context_may_stay_while_others_go_on(make_model: Any, make_config: Any) -> None:
    """One of nine that has ended is not worth a copy; positions that are learnt know none beyond the last."""
    model = tuned_writer(tuned("gpt2", make_model, make_config), torch.float32).model
    long = array("i", (5 + at % 200 for at in range(254)))

    def said(others: Questions) -> list[int]:
        rows = [Row(0, long, 2), *(Row(number, other, MOST) for number, other in enumerate(others, start=1))]
        return next(row.said for row in answer(model, rows, (999,), Silent()) if not row.number)

    assert said(questions(8)) == said([])


def test_looking_every_few_tokens_changes_no_answer(
    make_model: Any, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = tuned("llama", make_model, make_config), questions()
    stops = stops_of([by_transformers(model, question, (999,)) for question in asked])
    writer = tuned_writer(model, torch.float32)
    expected = ours(writer, asked, stops)
    monkeypatch.setattr(greedy, "LOOK", {"cpu": 5})
    assert ours(writer, asked, stops) == expected


def test_memory_that_is_full_in_mid_answer_halves_the_batch_and_keeps_who_has_left(
    make_model: Any, make_config: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = tuned("llama", make_model, make_config), questions(16)
    stops = stops_of([by_transformers(model, question, (999,)) for question in asked])
    writer = tuned_writer(model, torch.float32)
    decoding = generation.Decoding(MOST, tuple(stops), 1, torch.float32)
    expected = generation.generate(writer, asked, decoding, tokenizer, Silent())
    begun: list[int] = []
    real = greedy.answer
    monkeypatch.setattr(
        greedy, "answer", lambda model, rows, *rest: (begun.append(len(rows)), real(model, rows, *rest))[1]
    )
    step, first = Lines.step, len(asked)

    def full_once_some_have_left(lines: Lines, model: Any) -> torch.Tensor:
        if first // 2 < len(lines.at) < first:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(lines, model)

    monkeypatch.setattr(Lines, "step", full_once_some_have_left)
    assert generation.generate(writer, asked, decoding, tokenizer, Silent()) == expected
    print(begun)
    assert begun[:2] == [16, 8]
    assert sum(begun[1:]) < 16, "rows that had left were asked again"


def test_a_request_to_stop_is_heard_between_two_tokens(make_model: Any, make_config: Any) -> None:
    class Impatient(Silent):
        heard = 0

        def stop_requested(self) -> bool:
            self.heard += 1
            return self.heard > 5

    writer = tuned_writer(tuned("llama", make_model, make_config), torch.float32)
    reporter = Impatient()
    with pytest.raises(Stopped):
        ours(writer, questions(), (999,), reporter)
    assert reporter.heard == 6


def test_a_guess_of_the_answers_lengths_changes_their_order_alone(
    make_model: Any, make_config: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, asked = tuned_writer(tuned("llama", make_model, make_config), torch.float32), questions()
    decoding = generation.Decoding(MOST, (7, 8), 1, torch.float32)
    expected = generation.generate(writer, asked, decoding, tokenizer, Silent())
    monkeypatch.setattr(generation, "LARGEST_BATCH", {"cpu": 4})
    guessed = [100 * (number % 5) for number in range(len(asked))]
    assert generation.generate(writer, asked, decoding, tokenizer, Silent(), expected=guessed) == expected


def test_who_cannot_be_cut_is_left_to_transformers_and_says_why(
    make_model: Any, make_config: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here because lines get each other's columns: the check has to notice."""
    model, asked = tuned("llama", make_model, make_config), questions()
    decoding = generation.Decoding(MOST, (7, 8), 1, torch.float32)
    expected = generation.generate(tuned_writer(model, torch.float32), asked, decoding, tokenizer, Silent())
    real = Lines.keep
    monkeypatch.setattr(Lines, "keep", lambda self, lines: real(self, lines[::-1]))
    assert cutting.why_not(model, torch.float32) == "rows that stay would say something else"
    writer = tuned_writer(model, torch.float32)
    assert "by transformers, because rows that stay would say something else" in writer.path
    assert generation.generate(writer, asked, decoding, tokenizer, Silent()) == expected


def test_a_model_that_remembers_otherwise_is_left_to_transformers() -> None:
    config = AutoConfig.for_model(
        "falcon_h1", vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_d_state=8, mamba_n_groups=1,
        pad_token_id=None,
    )  # fmt: skip
    writer = base_writer(AutoModelForCausalLM.from_config(config), torch.float32)
    assert not writer.leaving
    assert "by transformers, because it remembers in" in writer.path
