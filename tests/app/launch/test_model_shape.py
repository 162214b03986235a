import json
import struct
from pathlib import Path

import pytest

from app.launch import model_shape
from app.launch.launch_facts import Linear


def write(folder: Path, tensors: dict[str, list[int]], model_type: str = "llama") -> Path:
    header = json.dumps({name: {"dtype": "F16", "shape": shape} for name, shape in tensors.items()}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    return folder


def test_linear_layers_are_told_from_embeddings_and_norms(tmp_path: Path) -> None:
    shape = model_shape.read(
        write(
            tmp_path,
            {
                "model.embed_tokens.weight": [100, 8],
                "model.layers.0.q_proj.weight": [12, 8],
                "model.layers.0.q_proj.bias": [12],
                "model.norm.weight": [8],
                "lm_head.weight": [100, 8],
            },
        )
    )
    assert shape is not None
    assert shape.linears == (Linear("q_proj", 8, 12, 12),)
    assert (shape.parameters, shape.biases) == (800 + 96 + 12 + 8 + 800, 12)


def test_gpt2_stores_its_layers_the_other_way_round(tmp_path: Path) -> None:
    shape = model_shape.read(write(tmp_path, {"h.0.attn.c_attn.weight": [8, 24], "wte.weight": [100, 8]}, "gpt2"))
    assert shape is not None
    assert shape.linears == (Linear("c_attn", 8, 24, 0),)


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 16, struct.pack("<Q", 4) + b"nope"])
def test_a_file_that_cannot_tell_is_no_error(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {"q_proj.weight": [1, 1]})
    (tmp_path / "model.safetensors").write_bytes(content)
    assert model_shape.read(tmp_path) is None


def test_a_folder_without_a_model_is_no_error(tmp_path: Path) -> None:
    assert model_shape.read(tmp_path) is None
