"""The plain way to train: what the guides of transformers, peft and bitsandbytes say, with their defaults.

Nothing of this program is imported here. Rows come as tokens, so that both sides train on the same ones.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
)

Json = dict[str, Any]


@dataclass
class Counting:
    """The library's own collator, and how many tokens of rows went through it: padding does not count."""

    collator: DataCollatorForSeq2Seq
    tokens: int = 0

    def __call__(self, rows: list[Json]) -> Any:
        self.tokens += sum(len(row["input_ids"]) for row in rows)
        return self.collator(rows)


def read(path: str | Path) -> Json:
    """`train` and `held_out` rows as tokens and labels, `questions` as tokens, `references` as texts."""
    found: Json = json.loads(Path(path).read_text())
    return found


def load(model: str, *, method: str = "nf4", whole: list[str] | None = None) -> tuple[Any, Any]:
    """(model, tokenizer). `whole` names layers that bitsandbytes has no right 4-bit form of on a CPU."""
    on_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if on_gpu else torch.float32
    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=method, bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=whole or None,
    ) if method != "none" else None  # fmt: skip
    loaded = AutoModelForCausalLM.from_pretrained(
        model, dtype=dtype, quantization_config=quantization, device_map={"": 0 if on_gpu else "cpu"}
    )
    tokenizer = AutoTokenizer.from_pretrained(model)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return loaded, tokenizer


def adapted(model: Any, lora: Json, *, quantised: bool = True, checkpointing: bool = True, seed: int = 42) -> Any:
    """With a fresh adapter on every linear layer. Gradient checkpointing is on where nobody switches it off."""
    if quantised:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=checkpointing)
    torch.manual_seed(seed)
    return get_peft_model(model, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", **lora))


def trainer(model: Any, tokenizer: Any, rows: list[Json], folder: str, training: Json) -> Any:
    """Trainer with its own collator, order and padding."""
    on_gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=folder, save_strategy="no", report_to=[], disable_tqdm=True, bf16=on_gpu, use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu, **training,
    )  # fmt: skip
    collator = Counting(DataCollatorForSeq2Seq(tokenizer))
    return Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collator)


def train(model: Any, tokenizer: Any, rows: list[Json], folder: str, training: Json) -> int:
    """How many tokens of rows it was trained on."""
    made = trainer(model, tokenizer, rows, folder, training)
    made.train()
    return int(made.data_collator.tokens)
