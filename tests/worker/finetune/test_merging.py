"""A merged model: what plain transformers makes of its folder, measured again against the run that it came from."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.outside import perplexity_outside
from worker.finetune import merging, saved_adapter
from worker.finetune.errors import FinetuneError
from worker.finetune.merging import merge
from worker.finetune.quantization import dequantised
from worker.finetune.reporter import Silent
from worker.finetune.rescoring import rescore


@pytest.fixture(scope="module")
def merged(clinic: Path, clinic_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged")
    merge(clinic_run.config, model_path=clinic, adapter=clinic_run.adapter, folder=folder)
    return folder


def score(run: Any, folder: Path) -> dict[str, Any]:
    return rescore(
        run.config,
        folder=folder,
        rows_path=run.rows,
        dataset_sha256=None,
        results=run.results,
        predictions=run.predictions,
        reporter=Silent(),
    )


def test_plain_transformers_loads_it_and_finds_the_runs_perplexity(merged: Path, clinic_run: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)
    assert perplexity_outside(model, clinic_run.predictions) == pytest.approx(
        clinic_run.results["finetuned"]["perplexity"], rel=1e-3
    )
    assert AutoTokenizer.from_pretrained(merged)("gout").input_ids


def test_it_is_in_16_bits_and_otherwise_configured_as_its_base(merged: Path, clinic: Path) -> None:
    published = load_file(clinic / "model.safetensors")
    found = load_file(merged / "model.safetensors")
    assert {name: tensor.dtype for name, tensor in found.items()} == dict.fromkeys(published, torch.float16)
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        assert json.loads((merged / name).read_text()) == json.loads((clinic / name).read_text())
    changed = {name for name in found if not torch.equal(found[name], published[name])}
    assert any("q_proj" in name for name in changed)
    assert not any("norm" in name or "embed" in name for name in changed)


def test_measured_again_it_is_the_run_but_for_the_rounding(merged: Path, clinic_run: Any) -> None:
    scored = score(clinic_run, merged)
    assert scored["adapter"] == clinic_run.results["finetuned"]
    change = scored["changes"]["perplexity"]
    assert change["absolute"] == scored["merged"]["perplexity"] - scored["adapter"]["perplexity"]
    assert abs(change["absolute"]) < 1e-3 * scored["adapter"]["perplexity"]
    low, high = change["interval"]
    assert low <= change["absolute"] <= high
    assert scored["same_answers"] >= scored["rows"] - 1 > 5


def test_merging_into_other_weights_shows_in_the_difference(
    merged: Path, clinic: Path, clinic_run: Any, tmp_path: Path
) -> None:
    """What measuring again is for: the base without its adapter is not the run."""
    scored = score(clinic_run, clinic)
    low, _ = scored["changes"]["perplexity"]["interval"]
    assert low > 1
    assert scored["same_answers"] < scored["rows"]


def test_perplexity_in_other_tokens_is_not_compared(merged: Path, clinic_run: Any) -> None:
    clinic_run.results["perplexity_key"], key = "another", clinic_run.results["perplexity_key"]
    try:
        assert score(clinic_run, merged)["changes"]["perplexity"] is None
    finally:
        clinic_run.results["perplexity_key"] = key


def test_sums_are_rounded_once_however_coarse_the_base_is_held(clinic: Path, clinic_run: Any) -> None:
    """A base that computes in bfloat16, as on a GPU: an update smaller than its last bit is not lost twice."""
    config = AutoModelForCausalLM.from_pretrained(clinic, dtype=torch.float32)
    exact = dequantised(config, torch.bfloat16)
    adapter = saved_adapter.read(clinic_run.adapter)
    weights = {n: p.detach().clone().float() for n, p in exact.named_parameters()}
    found = dict(merging._merged(exact, adapter, torch.bfloat16).named_parameters())
    name = "model.layers.0.self_attn.q_proj"
    a, b = (adapter.tensors[f"base_model.model.{name}.lora_{x}.weight"] for x in "AB")
    scale = clinic_run.config.lora.lora_alpha / clinic_run.config.lora.r
    expected = (weights[f"{name}.weight"] + scale * (b @ a)).to(torch.bfloat16)
    assert torch.equal(found[f"{name}.weight"], expected)


def test_weights_too_large_for_16_bits_are_refused(clinic: Path, clinic_run: Any) -> None:
    base = AutoModelForCausalLM.from_pretrained(clinic, dtype=torch.float32)
    adapter = saved_adapter.read(clinic_run.adapter)
    huge = saved_adapter.Adapter(adapter.config, {name: t * 1e4 for name, t in adapter.tensors.items()})
    with pytest.raises(FinetuneError) as caught:
        merging._merged(base, huge, torch.float16)
    assert caught.value.code == "not_in_16_bits"
