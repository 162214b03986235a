"""The fast ways from rows to a loss, on every architecture: the plain way's losses and gradients, or not taken."""

from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.config_sections import TrainingConfig
from app.run_config import RunConfig
from tests.worker.finetune.test_architectures import SHAPES
from worker.finetune import attention, packing, recomputation
from worker.finetune.adapter import attach
from worker.finetune.batches import Batch, pack, pad
from worker.finetune.errors import FinetuneError
from worker.finetune.likelihood import join, token_nll
from worker.finetune.model import load_base
from worker.finetune.paths import PLAIN, Paths
from worker.finetune.tokens import Example

BLOCKS = packing.BLOCKS


def example(length: int, step: int = 7, prompt: int = 3) -> Example:
    ids = array("i", [0, *(2 + step * i % 300 for i in range(length - 2)), 1])
    return Example(0, ids, bytes(prompt) + b"\1" * (length - prompt), prompt)


ROWS = [example(20), example(9, step=11), example(2 * attention.BLOCK + 5, step=13), example(77, step=5, prompt=60)]

Made = Callable[..., Any]


def loaded(folder: Path, config: RunConfig) -> Any:
    cpu = torch.device("cpu")
    return load_base(folder, config.quantization, dtype=torch.float32, device=cpu, stop_ids=(1,)).model


@pytest.fixture(scope="module")
def adapted(make_model: Made, make_config: Made) -> Made:
    """A base in 4 bits with an adapter that changes what it says, no dropout, and the fast ways found for it."""

    def make(kind: str, shape: dict[str, Any], **settings: Any) -> tuple[Any, Paths]:
        config = make_config(**{"lora__lora_dropout": 0.0, **settings})
        base = loaded(make_model(kind, **shape), config)
        paths = choose(base, config.training)
        model = attach(base, config)
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
        return model.eval(), paths  # GPT-2 has dropout of its own

    return make


def choose(base: Any, training: TrainingConfig, rows: list[Example] = ROWS) -> Paths:
    longest = max(map(len, rows))
    return packing.choose(base, rows, longest=longest, pad_id=1, dtype=torch.float32, training=training)


def computed(model: Any, paths: Paths) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Losses of all counted tokens, and the gradients of the adapter. As a plain model where paths are plain."""
    before = attention.switch(model, attention.NAME if paths.said.get("packing") == BLOCKS else usual(model))
    losses, _ = token_nll(model, join(ROWS, 1, paths), paths)
    losses.mean().backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    attention.switch(model, before)
    return losses.detach(), gradients


def usual(model: Any) -> str:
    return "sdpa" if model._supports_sdpa else "eager"


def assert_same(model: Any, paths: Paths) -> None:
    losses, gradients = computed(model, paths)
    expected_losses, expected = computed(model, PLAIN)
    assert torch.allclose(losses, expected_losses, rtol=1e-5, atol=0)
    assert expected
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        assert float(gradient.norm()) > 0
        assert float((gradients[name] - gradient).norm() / gradient.norm()) < 1e-5, name


@pytest.mark.parametrize("kind", SHAPES)
def test_losses_and_gradients_are_those_of_the_plain_way(kind: str, adapted: Made) -> None:
    model, paths = adapted(kind, SHAPES[kind])
    expected = "padded: its attention is not the usual one" if kind == "gemma2" else BLOCKS
    assert (paths.scored, paths.said["packing"]) == (True, expected)
    assert paths.packed == (kind != "gemma2")
    assert_same(model, paths)
    assert_same(model, replace(paths, chunk=50))  # several pieces, and a rest


def test_they_are_so_with_activations_computed_again(adapted: Made) -> None:
    model, paths = adapted("llama", {})
    recomputation.switch_on(model.train())
    assert_same(model, replace(paths, chunk=50))


def test_they_are_so_where_the_output_layer_is_trained_too(adapted: Made) -> None:
    model, paths = adapted("phi", SHAPES["phi"], lora__target_modules=["q_proj", "lm_head"], lora__bias="all")
    assert any("lm_head" in name for name in computed(model, paths)[1])
    assert_same(model, replace(paths, chunk=50))


@pytest.mark.parametrize(
    ("kind", "shape", "against"),
    [
        ("mistral", {"sliding_window": 64}, "its attention sees 64 tokens at once, and rows have up to 133"),
        ("falcon", {"head_dim": "default"}, "the losses were others"),  # its layers are not told where rows begin
    ],
)
def test_where_rows_cannot_be_kept_apart_they_are_padded_and_the_record_says_why(
    kind: str, shape: dict[str, Any], against: str, adapted: Made
) -> None:
    model, paths = adapted(kind, shape)
    assert (paths.packed, paths.said["packing"]) == (False, f"padded: {against}")
    assert model.config._attn_implementation == "sdpa"
    assert_same(model, paths)


def test_packing_that_was_asked_for_goes_by_a_mask_where_it_must(adapted: Made) -> None:
    model, paths = adapted("mistral", {"sliding_window": 64}, training__packing=True)
    assert paths.said["packing"].startswith("in one line with a mask: its attention sees 64")
    assert_same(model, paths)


def test_packing_that_was_asked_for_fails_where_rows_would_read_each_other(
    llama: Path, make_config: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(training__packing=True)
    assert choose(loaded(llama, config), config.training).packed

    def without_marks(rows: list[Example]) -> Batch:
        return replace(pack(rows), position_ids=None, starts=None)

    monkeypatch.setattr(packing, "pack", without_marks)
    with pytest.raises(FinetuneError, match="Packing is not possible"):
        choose(loaded(llama, config), config.training)
    allowed = choose(loaded(llama, config), TrainingConfig())
    assert (allowed.packed, allowed.said["packing"]) == (False, "padded: the losses were others")


def test_logits_that_a_model_scales_are_not_computed_in_chunks(adapted: Made) -> None:
    model, paths = adapted("granite", {"head_dim": "default", "logits_scaling": 4.0})
    assert (paths.scored, paths.chunk) == (True, None)
    assert paths.said["logits"] == "of scored tokens only; not in chunks: the losses were others"
    assert_same(model, paths)


def test_the_plain_ways_can_be_asked_for(adapted: Made) -> None:
    plain = {"packing": False, "logits": "all", "train_sampling_strategy": "random"}
    model, paths = adapted("llama", {}, **{f"training__{name}": value for name, value in plain.items()})
    assert paths == Paths(said={"packing": "padded", "sampling": "in random order", "logits": "of all tokens"})
    assert model.config._attn_implementation == "sdpa"


def test_one_row_is_enough_to_choose_by(llama: Path, make_config: Made) -> None:
    config = make_config()
    assert choose(loaded(llama, config), config.training, rows=ROWS[:1]).packed


def test_no_more_logits_exist_than_a_chunk_and_none_of_prompts(adapted: Made) -> None:
    model, paths = adapted("llama", {})
    seen: list[int] = []
    hook = model.get_output_embeddings().register_forward_hook(
        lambda _, given, logits: seen.append(logits.numel() // logits.shape[-1])
    )
    scored = len(pad(ROWS, 1).scored().at)
    computed(model, paths)
    assert seen == [scored]
    seen.clear()
    computed(model, replace(paths, chunk=50))
    hook.remove()
    assert max(seen) == 50
    assert sum(seen) == 1 + 2 * scored  # one passes through the model; each chunk forward, and again backward


def test_choosing_twice_comes_to_the_same(llama: Path, make_config: Made) -> None:
    config = make_config()
    base = loaded(llama, config)
    assert choose(base, config.training) == choose(base, config.training)
