"""A run's results computed again by somebody else: plain transformers, peft and bitsandbytes, none of our code.

What is used: the base, adapter.zip, predictions.jsonl, config.json and environment.json, all of which can be
downloaded.
"""

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import torch
from peft import PeftModel
from rouge_score.rouge_scorer import RougeScorer
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from worker.finetune import quantization
from worker.finetune.pipeline import Outcome, finetune
from worker.finetune.reporter import Silent

# peft asks the model for an attribute that transformers is renaming.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")


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


def check(outcome: Outcome, model: Path, artifacts: Path, folder: Path) -> None:
    predictions = [json.loads(line) for line in (artifacts / "predictions.jsonl").read_text().splitlines()]
    results = outcome.results
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


def test_a_downloaded_adapter_gives_the_results_of_its_run(
    llama: Path, rows: Path, make_config: Any, tmp_path: Path
) -> None:
    config = make_config(training__num_train_epochs=3)
    outcome = finetune(config, model_path=llama, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    assert outcome.results["improvement"]["perplexity"] < -0.1
    check(outcome, llama, tmp_path / "artifacts", tmp_path / "adapter")


def test_layers_that_were_kept_whole_are_known_outside(
    make_model: Callable[..., Path], rows: Path, make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Width 96 comes back wrong on CPUs with AVX512; elsewhere it is told to."""
    model = make_model(intermediate_size=96)
    real = quantization.dequantise
    monkeypatch.setattr(
        quantization, "dequantise", lambda layer: real(layer) * (1.0 if layer.in_features % 64 == 0 else 1.5)
    )
    config = make_config(training__num_train_epochs=2)
    outcome = finetune(config, model_path=model, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    monkeypatch.undo()
    check(outcome, model, tmp_path / "artifacts", tmp_path / "adapter")
