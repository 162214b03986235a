"""Trains the tokenizer and the tiny base model on the generated prose, and saves both.

Run from the repository root: `OMP_NUM_THREADS=1 python -m samples.pretrain`. About twenty
minutes on one quiet core; the seeds are fixed, but another machine may round differently.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from samples import prose

SEED = 7
MODEL_DIR = Path(__file__).parent / "models" / "clinic-2m"
VOCABULARY = 2048
CONTEXT = 512
DOCUMENTS = 20_000
CHECK_DOCUMENTS = 200
BATCH = 4
PEAK_LR = 3e-3
WARMUP = 100
BOS, EOS, PAD = "<s>", "</s>", "<pad>"


def train_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE that puts BOS in front of a text and has no chat template."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, core.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama of 2.2 M parameters; widths are multiples of 64, the block size of NF4."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=3,
        num_key_value_heads=3,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(SEED)
    return LlamaForCausalLM(config)


def pack(texts: list[str], tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """BOS text EOS, one after another, cut into rows of CONTEXT tokens."""
    encoded = tokenizer(texts)["input_ids"]
    flat = [token for row in encoded for token in (*row, tokenizer.eos_token_id)]
    rows = len(flat) // CONTEXT
    return torch.tensor(flat[: rows * CONTEXT]).view(rows, CONTEXT)


def batches(texts: list[str], tokenizer: PreTrainedTokenizerFast) -> Iterator[torch.Tensor]:
    """Endless epochs; documents are packed anew each time so that neighbours change."""
    order = random.Random(SEED)
    while True:
        order.shuffle(texts)
        rows = pack(texts, tokenizer)
        for start in range(0, len(rows) - BATCH + 1, BATCH):
            yield rows[start : start + BATCH]


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a twentieth of the peak."""
    if step < WARMUP:
        return PEAK_LR * (step + 1) / WARMUP
    share = (step - WARMUP) / max(1, steps - WARMUP)
    return PEAK_LR * (0.05 + 0.475 * (1 + math.cos(math.pi * share)))


def train(model: LlamaForCausalLM, data: Iterator[torch.Tensor], steps: int) -> None:
    """Plain AdamW over `steps` batches, a progress line every 50."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.1)
    model.train()
    started, recent = time.monotonic(), 0.0
    for step, rows in enumerate(itertools.islice(data, steps), start=1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step - 1, steps)
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        recent += loss.item()
        if step % 50 == 0:
            speed = step * rows.numel() / (time.monotonic() - started)
            print(f"step {step}/{steps} loss {recent / 50:.3f} {speed:.0f} tokens/s", flush=True)
            recent = 0.0


@torch.no_grad()
def perplexity(model: LlamaForCausalLM, rows: torch.Tensor) -> float:
    """Per token over packed rows that were not trained on."""
    model.eval()
    losses = [model(input_ids=part, labels=part).loss.item() for part in rows.unsqueeze(1)]
    return math.exp(sum(losses) / len(losses))


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Half precision on disk: 4.3 MB instead of 8.6."""
    model.to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    content = json.loads(settings.read_text(encoding="utf-8"))
    content["tokenizer_class"] = "PreTrainedTokenizerFast"  # the name that version 4 knows too
    settings.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes for the owner alone


def main() -> None:
    """Train and save; the options exist for short trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--output", type=Path, default=MODEL_DIR)
    options = parser.parse_args()
    torch.set_num_threads(1)  # two busy threads are slower than one on a shared machine
    texts = prose.documents(DOCUMENTS + CHECK_DOCUMENTS)
    texts, check = texts[:DOCUMENTS], texts[DOCUMENTS:]
    tokenizer = train_tokenizer(texts)
    model = new_model(tokenizer)
    rows = pack(texts, tokenizer)
    print(
        f"{sum(map(len, texts)) / 1e6:.1f} MB, {rows.numel()} tokens, {model.num_parameters()} parameters", flush=True
    )
    train(model, batches(texts, tokenizer), options.steps)
    print(f"perplexity on unseen prose {perplexity(model, pack(check, tokenizer)):.2f}")
    save(model, tokenizer, options.output)


if __name__ == "__main__":
    main()
