"""Keys and values in buffers are those that transformers' own layer has, and are copied seldom."""

import pytest
import torch
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from worker.finetune import buffers
from worker.finetune.buffers import Buffered, buffered


def states(tokens: int, lines: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Of keys and of values, which some architectures give another width."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(lines, 2, tokens, 8, generator=draw), torch.randn(lines, 2, tokens, 4, generator=draw)


def assert_equal(ours: Buffered, theirs: DynamicLayer) -> None:
    assert torch.equal(ours.keys, theirs.keys)
    assert torch.equal(ours.values, theirs.values)
    assert ours.get_seq_length() == theirs.get_seq_length()


def test_what_is_read_is_what_transformers_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "SPARE", 4)
    ours, theirs = Buffered(), DynamicLayer()
    for step, tokens in enumerate((7, 1, 1, 3, 1, 9, 1)):
        given = states(tokens, seed=step)
        found, expected = ours.update(*given), theirs.update(*given)
        assert all(map(torch.equal, found, expected))
        assert_equal(ours, theirs)


def test_lines_and_columns_that_are_given_up_leave_the_others_as_they_were() -> None:
    ours, theirs, kept = Buffered(), DynamicLayer(), torch.tensor([3, 1, 4])
    for layer in (ours, theirs):
        layer.update(*states(7))
        layer.update(*states(1, seed=1))
        layer.keys, layer.values = layer.keys[kept, :, 2:], layer.values[kept, :, 2:]
    for step in (2, 3):
        for layer in (ours, theirs):
            layer.update(*states(1, lines=3, seed=step))
        assert_equal(ours, theirs)


def test_a_token_is_written_where_there_is_room_for_it() -> None:
    layer = Buffered()
    layer.update(*states(7))
    places = set()
    for step in range(buffers.SPARE):
        layer.update(*states(1, seed=step))
        places.add(layer.keys.data_ptr())
    assert len(places) == 1
    layer.update(*states(1))
    assert layer.keys.data_ptr() not in places


def test_a_layer_that_lets_go_of_columns_stays_transformers_own() -> None:
    window = DynamicSlidingWindowLayer(12)
    first, second = buffered([DynamicLayer(), window])
    assert isinstance(first, Buffered)
    assert second is window
