"""A tokenizer and models of a few thousand random weights, made here, and rows to train them on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from app.run_config import RunConfig
from app.settings import SAMPLES
from worker.finetune.pipeline import finetune
from worker.finetune.reporter import Silent

TEXT = [
    f"What is item {i}? Item {i} is the one that follows item {i - 1} and stands before {i + 1}." for i in range(60)
]
CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>\n{{ m.content | trim }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
Config = Callable[..., RunConfig]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE of 320 entries, without a padding token: as with many real models, EOS has to pad."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet)
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="session")
def make_model(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a random model and its tokenizer; without a kind, a Llama. `default` leaves a size to the architecture."""

    def make(kind: str = "llama", chat: str | None = None, **shape: Any) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        torch.manual_seed(0)
        sizes = {
            "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 256,
            "vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None,
        }  # fmt: skip
        config = AutoConfig.for_model(kind, **{k: v for k, v in (sizes | shape).items() if v != "default"})
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if chat:
            (folder / "chat_template.jinja").write_text(chat)
        return folder

    return make


@pytest.fixture(scope="session")
def llama(make_model: Callable[..., Path]) -> Path:
    return make_model()


@pytest.fixture(scope="session")
def chat_llama(make_model: Callable[..., Path]) -> Path:
    return make_model(chat=CHAT)


def pairs(count: int) -> list[dict[str, str]]:
    return [
        {
            "instruction": f"What is item {i}?",
            "input": "",
            "response": f"Item {i} is the one that follows item {i - 1} and stands before {i + 1}." + " Yes." * (i % 5),
        }
        for i in range(count)
    ]


@pytest.fixture(scope="session")
def write_rows(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def write(rows: list[dict[str, Any]]) -> Path:
        path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@pytest.fixture(scope="session")
def rows(write_rows: Callable[..., Path]) -> Path:
    return write_rows(pairs(40))


@pytest.fixture(scope="session")
def make_config() -> Config:
    """A configuration of a short run; dotted names override, with two underscores for the dot."""

    def make(**overrides: Any) -> RunConfig:
        values: dict[str, dict[str, Any]] = {
            "model": {"base_model": "test/tiny"},
            "quantization": {},
            "lora": {"r": 4, "lora_alpha": 8},
            "data": {"dataset": 1, "max_length": 96, "eval_fraction": 0.2},
            "training": {
                "learning_rate": 5e-3,
                "num_train_epochs": 1,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 2,
            },
            "evaluation": {"max_new_tokens": 8},
        }
        for name, value in overrides.items():
            group, field = name.split("__")
            values[group][field] = value
        return RunConfig.model_validate(values)

    return make


class Recording(Silent):
    """Remembers what it is told; stops when `stop_at` says so."""

    def __init__(self, stop_at: Callable[["Recording"], bool] = lambda _: False) -> None:
        self.stages: list[str] = []
        self.warnings: list[str] = []
        self.logged: list[str] = []
        self.environments: list[Mapping[str, Any]] = []
        self.baselines: list[str] = []
        self.curves: dict[str, dict[int, float | None]] = {}
        self.steps = 0
        self.stop_at = stop_at

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def progress(self, step: int, total_steps: int, epoch: float, eta_seconds: float | None) -> None:
        self.steps = step

    def points(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        for name, value in values.items():
            self.curves.setdefault(name, {})[step] = value

    def log(self, message: str, level: str = "info") -> None:
        self.logged.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def environment(self, values: Mapping[str, Any]) -> None:
        self.environments.append(values)

    def baseline(self, key: str, metrics: Mapping[str, float | None]) -> None:
        self.baselines.append(key)

    def stop_requested(self) -> bool:
        return self.stop_at(self)


@pytest.fixture
def recording() -> type[Recording]:
    return Recording


@dataclass(frozen=True)
class Trained:
    """A finished run of the sample model: its settings, its files and its results."""

    config: RunConfig
    rows: Path
    artifacts: Path
    results: dict[str, Any]

    @property
    def adapter(self) -> Path:
        return self.artifacts / "adapter.zip"

    @property
    def predictions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.artifacts / "predictions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def clinic() -> Path:
    return SAMPLES / "models" / "clinic-2m"


@pytest.fixture(scope="session")
def train_clinic(clinic: Path, make_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    """Fine-tune the sample model for a few steps, with so high a rate that it answers otherwise than its base."""
    rows = tmp_path_factory.mktemp("clinic") / "rows.jsonl"
    with (SAMPLES / "data" / "clinic_pairs.jsonl").open() as lines, rows.open("w") as stored:
        stored.writelines(json.dumps(json.loads(line) | {"input": ""}) + "\n" for line in islice(lines, 60))

    def start(**overrides: Any) -> Trained:
        chosen = {"training__learning_rate": 1e-2, "training__max_steps": 8, "evaluation__max_new_tokens": 16}
        config = make_config(**{"data__max_length": 128, "data__allow_leakage": True, **chosen, **overrides})
        folder = tmp_path_factory.mktemp("run")
        outcome = finetune(config, model_path=clinic, rows_path=rows, output_dir=folder, reporter=Silent())
        return Trained(config, rows, folder / "artifacts", outcome.results)

    return start


@pytest.fixture(scope="session")
def clinic_run(train_clinic: Callable[..., Trained]) -> Trained:
    return train_clinic()
