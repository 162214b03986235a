"""The model card: what its readers need, for an adapter and for a merged model."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml

from worker.finetune.model_card import Card


def card(run: Any, **changes: Any) -> Card:
    environment = json.loads((run.artifacts / "environment.json").read_text())
    environment |= changes.pop("environment", {})
    return Card(run.config, run.results, environment, 48, "clinic | pairs\nof 2024", **changes)


def front(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---")[1])
    return found


def test_a_run_leaves_its_card_beside_and_inside_the_adapters_archive(clinic_run: Any) -> None:
    text = (clinic_run.artifacts / "README.md").read_text()
    with zipfile.ZipFile(clinic_run.adapter) as archive:
        assert archive.read("README.md").decode() == text
    tuned = clinic_run.results["finetuned"]
    assert f"{tuned['perplexity']:.2f}" in text
    assert f"On {clinic_run.results['eval_rows']} held-out rows" in text
    low, high = clinic_run.results["intervals"]["perplexity"]
    assert f"| {low:+.1%} to {high:+.1%} |" in text
    assert "### Response:" in text
    assert "| LoRA r | `lora.r` | 4 |" in text
    assert "data set 1" in text


def test_a_base_from_a_hub_is_named_to_hubs_and_another_is_not(clinic_run: Any) -> None:
    assert "base_model" not in front(card(clinic_run).text())
    found = front(card(clinic_run, environment={"model_commit": "abc"}).text())
    assert (found["base_model"], found["base_model_relation"], found["library_name"]) == (
        "test/tiny",
        "adapter",
        "peft",
    )
    assert "at commit `abc`" in card(clinic_run, environment={"model_commit": "abc"}).text()


def test_no_name_breaks_out_of_its_line(clinic_run: Any) -> None:
    assert "clinic \\| pairs of 2024" in card(clinic_run).text()


def test_a_merged_models_card_shows_what_merging_changed(clinic_run: Any) -> None:
    metrics = clinic_run.results["finetuned"]
    changes = {name: {"absolute": 0.25, "interval": [-0.5, 1.0]} for name in ("perplexity", "bleu", "rouge_l")}
    scored = {"adapter": metrics, "merged": metrics, "changes": changes | {"bleu": None}, "same_answers": 9, "rows": 10}
    text = card(clinic_run, rescored=scored, environment={"model_commit": "abc"}).text()
    assert "+0.25000 (-0.50000 to +1.00000)" in text
    assert "does not compare" in text
    assert "Of 10 answers 9 are word for word" in text
    assert front(text)["base_model_relation"] == "finetune"


def test_its_python_loads_the_adapter(clinic: Path, clinic_run: Any, tmp_path: Path) -> None:
    """As a reader would: the code block, in the folder of the archive, with nothing of ours."""
    with zipfile.ZipFile(clinic_run.adapter) as archive:
        archive.extractall(tmp_path)
    code = (tmp_path / "README.md").read_text().split("~~~python\n")[1].split("~~~")[0]
    assert "load_in_4bit=True" in code
    code = code.replace("'test/tiny'", repr(str(clinic))) + "\nprint(sorted(model.peft_config))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['default']", done.stderr
