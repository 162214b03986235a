"""Attention over rows in one line: each row gets what it would get alone, to the rounding of float32."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from app.config_sections import QuantizationConfig
from worker.finetune import attention
from worker.finetune.model import load_base

LENGTHS = [5, attention.BLOCK, 1, 3 * attention.BLOCK + 7, attention.BLOCK + 1]
STARTS = torch.tensor([0, 5, 69, 70, 269, 334], dtype=torch.int32)
MODULE: Any = SimpleNamespace(num_key_value_groups=2, is_causal=True)


def line(heads: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, heads, sum(LENGTHS), 8, generator=generator).requires_grad_()


def alone(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Each row by itself, in one piece: (1, tokens, heads, width)."""
    key, value = key.repeat_interleave(2, dim=1), value.repeat_interleave(2, dim=1)
    rows = zip(*(torch.split(t, LENGTHS, dim=2) for t in (query, key, value)), strict=True)
    return torch.cat([scaled_dot_product_attention(q, k, v, is_causal=True) for q, k, v in rows], dim=2).transpose(1, 2)


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return float((found - expected).detach().norm() / expected.detach().norm()) < 1e-5


def test_each_row_is_attended_as_if_it_were_alone_forward_and_backward() -> None:
    inputs = line(4, 0), line(2, 1), line(2, 2)
    found, _ = attention.attend(MODULE, *inputs, None, cu_seq_lens_q=STARTS, max_length_q=max(LENGTHS))
    expected = alone(*inputs)
    assert close(found, expected)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    gradients = zip(
        torch.autograd.grad(found, inputs, upstream), torch.autograd.grad(expected, inputs, upstream), strict=True
    )
    assert all(close(ours, theirs) for ours, theirs in gradients)


def test_without_rows_it_is_transformers_own() -> None:
    inputs = line(4, 0), line(2, 1), line(2, 2)
    found, _ = attention.attend(MODULE, *inputs, None)
    key, value = (t.repeat_interleave(2, dim=1) for t in inputs[1:])
    expected = scaled_dot_product_attention(inputs[0], key, value, is_causal=True).transpose(1, 2)
    assert close(found, expected)
    assert not close(found, alone(*inputs))


def test_dropout_of_attention_is_drawn_in_every_block() -> None:
    ones = torch.ones(1, 1, sum(LENGTHS), 8)
    module: Any = SimpleNamespace()
    torch.manual_seed(0)
    found, _ = attention.attend(module, ones, ones, ones, None, dropout=0.5, cu_seq_lens_q=STARTS, max_length_q=200)
    sums = [float(row.mean()) for row in torch.split(found, LENGTHS, dim=1)]
    assert sums[3] == pytest.approx(1, abs=0.1)
    assert float(found.std()) > 0.05


@pytest.fixture(scope="module")
def mistral(make_model: Any) -> Any:
    cpu = torch.device("cpu")
    path = make_model("mistral", sliding_window=64)
    return load_base(path, QuantizationConfig(method="none"), dtype=torch.float32, device=cpu, stop_ids=(1,)).model


def test_a_window_is_no_matter_where_no_row_is_longer(mistral: Any) -> None:
    assert attention.cannot(mistral, longest=64) is None
    assert "sees 64 tokens" in (attention.cannot(mistral, longest=65) or "")


def test_a_model_switched_over_generates_the_same_tokens(mistral: Any) -> None:
    """With padding on the left, from a cache, and past the window: all that masks are still needed for."""
    torch.manual_seed(1)
    ids = torch.randint(2, 300, (3, 40))
    mask = torch.ones_like(ids)
    mask[0, :25], mask[1, :3] = 0, 0
    options: dict[str, Any] = {"max_new_tokens": 40, "do_sample": False, "use_cache": True, "pad_token_id": 1}
    expected = mistral.generate(ids, attention_mask=mask, **options)
    before = attention.switch(mistral)
    found = mistral.generate(ids, attention_mask=mask, **options)
    attention.switch(mistral, before)
    assert torch.equal(found, expected)
    assert mistral.config._attn_implementation == "sdpa"
