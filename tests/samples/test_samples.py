"""The bundled sample must stay reproducible, free of leaks, small, and safe to quantise."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAIRS = ROOT / "samples" / "data" / "clinic_pairs.jsonl"
MODEL = ROOT / "samples" / "models" / "clinic-2m"
NF4_BLOCK = 64


def normalised(text: str) -> str:
    """The form in which two texts count as the same."""
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]


def test_generator_reproduces_the_committed_file(tmp_path: Path) -> None:
    output = tmp_path / "pairs.jsonl"
    command = [sys.executable, "-m", "samples.pairs", "--output", str(output)]
    subprocess.run(command, cwd=ROOT, check=True)
    assert output.read_bytes() == PAIRS.read_bytes()


def test_rows_are_complete(rows: list[dict[str, str]]) -> None:
    assert len(rows) == 2500
    assert all(set(row) == {"instruction", "response", "group"} for row in rows)
    assert all(text.strip() == text != "" for row in rows for text in row.values())


def test_prompts_are_unique(rows: list[dict[str, str]]) -> None:
    assert len({normalised(row["instruction"]) for row in rows}) == len(rows)


def test_no_response_is_shared_between_groups(rows: list[dict[str, str]]) -> None:
    groups = defaultdict(set)
    for row in rows:
        groups[normalised(row["response"])].add(row["group"])
    shared = [text for text, names in groups.items() if len(names) > 1 and len(text) >= 40]
    assert shared == []


def test_every_text_is_plain_ascii_without_unfilled_places(rows: list[dict[str, str]]) -> None:
    texts = [text for row in rows for text in row.values()]
    assert all(text.isascii() for text in texts)
    assert not [text for text in texts if "{" in text or "  " in text]


def test_prose_asks_no_questions() -> None:
    """The base must not see the answer format before fine-tuning."""
    command = [sys.executable, "-m", "samples.prose"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert len(done.stdout) > 5000
    assert "?" not in done.stdout
    assert "Instruction" not in done.stdout
    assert "Response" not in done.stdout


def test_model_folder_is_small_and_holds_no_pickles() -> None:
    files = [path for path in MODEL.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    assert {path.suffix for path in files} == {".json", ".safetensors"}


def test_widths_are_multiples_of_the_quantisation_block() -> None:
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(MODEL / "model.safetensors", framework="np") as tensors:
        names = tensors.keys()
        shapes = {name: tensors.get_slice(name).get_shape() for name in names}
    linear = {name: shape for name, shape in shapes.items() if name.endswith("proj.weight")}
    assert len(linear) == 28
    assert [name for name, shape in linear.items() if shape[1] % NF4_BLOCK] == []


def test_configuration_names_no_folder_and_no_chat_template() -> None:
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    tokenizer = json.loads((MODEL / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert "/" not in json.dumps(config)
    assert "/" not in json.dumps(tokenizer).replace("</s>", "")
    assert "chat_template" not in tokenizer
    assert config["max_position_embeddings"] == 512


def test_model_predicts_answers_better_than_chance(rows: list[dict[str, str]]) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL, local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, local_files_only=True, dtype=torch.float32).eval()
    assert tokenizer.chat_template is None
    loss, tokens = 0.0, 0
    for row in rows[:20]:
        prompt = f"### Instruction:\n{row['instruction']}\n\n### Response:\n"
        head = tokenizer(prompt)["input_ids"]
        tail = tokenizer(row["response"], add_special_tokens=False)["input_ids"]
        tail.append(tokenizer.eos_token_id)
        assert head[0] == tokenizer.bos_token_id
        labels = torch.tensor([[-100] * len(head) + tail])
        with torch.no_grad():
            mean = model(input_ids=torch.tensor([head + tail]), labels=labels).loss.item()
        loss, tokens = loss + mean * len(tail), tokens + len(tail)
    assert math.exp(loss / tokens) < tokenizer.vocab_size / 10
