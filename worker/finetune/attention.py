"""Attention over rows that stand in one line: each row by itself, its queries in blocks that read no further than they
may.

No mask as large as the line squared is made. On a GPU the kernel for rows of unequal length does all of it; elsewhere
each block of queries meets only the keys before its end, which halves the work that a causal flag saves nothing of.
"""

from functools import lru_cache
from itertools import accumulate
from typing import Any, cast

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "rows_in_blocks"

# Queries in a block on CPU: 32 to 128 are equally fast, 256 half as good.
BLOCK = 64


def cannot(model: Any, longest: int) -> str | None:
    """Why the attention of this model, over rows of up to `longest` tokens, is not of the kind that is computed here;
    None where it may be. What this lets through is still held against the plain way (see packing)."""
    config = model.config.get_text_config()
    if config._attn_implementation not in ("sdpa", NAME):
        return "its attention is not the usual one"
    for limit in ("sliding_window", "attention_chunk_size"):
        window = getattr(config, limit, None)
        if window and window < longest:
            return f"its attention sees {window} tokens at once, and rows have up to {longest}"
    return None


def switch(model: Any, to: str = NAME) -> str:
    """Have the model compute its attention here, or by the way named; answers the way from before."""
    before: str = model.config._attn_implementation
    model.set_attn_implementation(to)
    return before


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' call: tensors of (lines, heads, tokens, width) to (lines, tokens, heads, width). `more` names where
    rows begin (cu_seq_lens_q) and how long the longest is (max_length_q); without these, its own way is taken."""
    starts = more.get("cu_seq_lens_q")
    if attention_mask is not None or starts is None:
        found = sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **more)
        return cast(tuple[torch.Tensor, None], found)
    if query.is_cuda and dropout == 0:
        return _on_gpu(query, key, value, starts, more["max_length_q"], scaling), None
    groups = query.shape[1] // key.shape[1]
    rows = _blocks(starts.diff().tolist(), whole=query.is_cuda)
    found = _in_blocks(query, repeat_kv(key, groups), repeat_kv(value, groups), rows, dropout, scaling)
    return found, None


def _blocks(lengths: list[int], *, whole: bool) -> list[list[int]]:
    """Of each row the lengths of its blocks."""
    if whole:
        return [[length] for length in lengths]
    return [[min(BLOCK, length - start) for start in range(0, length, BLOCK)] for length in lengths]


def _in_blocks(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    rows: list[list[int]],
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    queries = iter(torch.split(query, [block for blocks in rows for block in blocks], dim=2))
    keys, values = (torch.split(tensor, list(map(sum, rows)), dim=2) for tensor in (key, value))
    pieces = []
    for blocks, row_keys, row_values in zip(rows, keys, values, strict=True):
        for block, end in zip(blocks, accumulate(blocks), strict=True):
            found = scaled_dot_product_attention(
                next(queries),
                row_keys[:, :, :end],
                row_values[:, :, :end],
                attn_mask=_causal(block, end, query.device) if block < end else None,
                is_causal=block == end,
                dropout_p=dropout,
                scale=scaling,
            )
            pieces.append(found.transpose(1, 2))
    return torch.cat(pieces, dim=1)


@lru_cache(maxsize=512)
def _causal(queries: int, keys: int, device: torch.device) -> torch.Tensor:
    """What each of the last `queries` of so many tokens may read."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def _on_gpu(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    starts: torch.Tensor,
    longest: int,
    scaling: float | None,
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    dtype = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else query.dtype
    query, key, value = (tensor[0].transpose(0, 1).to(dtype) for tensor in (query, key, value))
    window = (-1, 0)  # causal: all before, nothing after
    found = varlen_attn(
        query, key, value, starts, starts, longest, longest, scale=scaling, window_size=window, enable_gqa=True
    )
    return cast(torch.Tensor, found).unsqueeze(0)


def _mask(*, attention_mask: torch.Tensor | None = None, q_length: int, kv_length: int, **more: Any) -> Any:
    """None is needed where nothing is padded and nothing came before: `attend` reads backwards anyway."""
    if attention_mask is None and q_length == kv_length:
        return None
    return sdpa_mask(attention_mask=attention_mask, q_length=q_length, kv_length=kv_length, **more)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, _mask)
