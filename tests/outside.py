"""A run's results computed again by somebody else: plain transformers, peft and bitsandbytes, none of our code.

What is used: the base model, and what anybody can download: adapter.zip, config.json, environment.json and
predictions.jsonl.
"""

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import torch
from peft import PeftModel
from rouge_score.rouge_scorer import RougeScorer
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def load_outside(model: Path, artifacts: Path, folder: Path) -> Any:
    """The fine-tuned model from its adapter archive."""
    config = json.loads((artifacts / "config.json").read_text())["quantization"]
    skip = json.loads((artifacts / "environment.json").read_text())["quantization"]["skipped_modules"]
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=config["method"], bnb_4bit_use_double_quant=config["double_quant"],
        bnb_4bit_compute_dtype=torch.float32, llm_int8_skip_modules=skip,
    )  # fmt: skip
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, quantization_config=four_bits)
    with zipfile.ZipFile(artifacts / "adapter.zip") as archive:
        archive.extractall(folder)
    for module in base.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return PeftModel.from_pretrained(base, folder).eval()


@torch.no_grad()
def perplexity_outside(model: Any, predictions: list[dict[str, Any]]) -> float:
    nll, tokens = 0.0, 0
    for line in predictions:
        prompt, reference = line["prompt_tokens"], line["reference_tokens"]
        ids = torch.tensor([prompt + reference])
        labels = torch.tensor([[-100] * len(prompt) + reference])
        nll += float(model(input_ids=ids, labels=labels).loss) * len(reference)
        tokens += len(reference)
    return math.exp(nll / tokens)


def check(results: dict[str, Any], model: Path, artifacts: Path, folder: Path) -> None:
    """Perplexity from the stored token ids to 1e-3, BLEU and ROUGE-L from the stored answers exactly."""
    predictions = [json.loads(line) for line in (artifacts / "predictions.jsonl").read_text().splitlines()]
    assert len(predictions) == results["eval_rows"]
    tuned = load_outside(model, artifacts, folder)
    assert perplexity_outside(tuned, predictions) == pytest.approx(results["finetuned"]["perplexity"], rel=1e-3)
    with tuned.disable_adapter():
        assert perplexity_outside(tuned, predictions) == pytest.approx(results["base"]["perplexity"], rel=1e-3)
    references = [line["reference"] for line in predictions]
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    for who in ("base", "finetuned"):
        said = [line[who] for line in predictions]
        assert sacrebleu.corpus_bleu(said, [references]).score / 100 == results[who]["bleu"]
        rouge = [scorer.score(r, p)["rougeL"].fmeasure for r, p in zip(references, said, strict=True)]
        assert sum(rouge) / len(rouge) == results[who]["rouge_l"]
