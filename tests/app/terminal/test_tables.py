"""Runs in a terminal: the numbers of the API in the words of the pages."""

import copy
from typing import Any

import pytest
from rich.console import Console, RenderableType

from app.terminal import tables

CONFIG = {
    "model": {"base_model": "sample/clinic-2m", "revision": None},
    "lora": {"r": 8, "lora_alpha": 16},
    "data": {"dataset": 1},
    "training": {"learning_rate": 4e-3, "per_device_train_batch_size": 4, "num_train_epochs": 3.0},
}
RUN: dict[str, Any] = {
    "id": 7,
    "name": "lr 4e-3",
    "experiment": {"id": 1, "name": "Demo"},
    "status": "completed",
    "stage": None,
    "progress": {"step": 57, "total_steps": 57, "epoch": 3.0, "fraction": 1.0, "eta_seconds": None},
    "config": CONFIG,
    "warnings": [],
    "error": None,
    "results": {
        "base": {"perplexity": 45.2, "bleu": 0.05, "rouge_l": 0.2, "loss": 3.8},
        "finetuned": {"perplexity": 17.8, "bleu": 0.31, "rouge_l": 0.19, "loss": 2.9},
        "improvement": {"perplexity": -0.606, "bleu": 5.2, "rouge_l": -0.05},
        "intervals": {"perplexity": [-0.65, -0.55], "bleu": [4.1, 6.3], "rouge_l": [-0.2, 0.1]},
        "eval_rows": 100,
    },
    "resources": {"train_seconds": 42.0, "peak_memory_bytes": 512_000_000, "device": "CPU"},
}


def run(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(RUN) | changes


def printed(*items: RenderableType, style: bool = False, width: int = 160) -> str:
    console = Console(width=width, highlight=False, force_terminal=style, color_system="standard" if style else None)
    with console.capture() as capture:
        for item in items:
            console.print(item)
    return capture.get()


def row(text: str, start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip().startswith(start)).split("  ")


def test_the_leaderboard_has_settings_results_and_costs() -> None:
    text = printed(tables.leaderboard([run()]))
    headings = " ".join(text.splitlines()[1].split() + text.splitlines()[2].split())
    assert headings == (
        "Learning Batch LoRA LoRA Perplexity BLEU ROUGE-L Run rate size r alpha Epochs ↓ ↑ ↑ Time Memory"
    )
    cells = [cell.strip() for cell in row(text, "1") if cell.strip()]
    assert cells == ["1", "lr 4e-3", "4e-3", "4", "8", "16", "3", "17.8", "0.31", "0.19", "42 s", "0.5 GB"]


def test_the_best_of_each_metric_stands_out() -> None:
    other = run(name="worse")
    other["results"]["finetuned"] = {"perplexity": 20.0, "bleu": 0.4, "rouge_l": 0.1, "loss": 3.0}
    text = printed(tables.leaderboard([run(), other]), style=True)
    for best in ("17.8", "0.40", "0.19"):
        assert f"\x1b[1m{best}\x1b[0m" in text
    for lesser in ("20.0", "0.31", "0.10"):
        assert f"\x1b[1m{lesser}" not in text


def test_a_narrow_terminal_drops_settings_and_never_cuts_a_name_or_a_number() -> None:
    other = run(name="Without 4-bit")
    other["config"]["training"]["learning_rate"] = 1e-3
    for width, gone in ((120, ()), (80, ("Epochs", "Batch")), (60, ("Epochs", "Batch", "Learning"))):
        text = printed(tables.leaderboard([run(), other], width), width=width)
        assert all(heading not in text for heading in gone)
        assert ("Learning" in text) == ("Learning" not in gone)
        for words in ("lr 4e-3", "Without 4-bit", "Perplexity", "17.8", "0.31", "0.19", "42 s", "0.5 GB"):
            assert words in text
        assert "…" not in text


def test_base_and_fine_tuned_stand_side_by_side() -> None:
    text = printed(tables.comparison(run()))
    assert "base and fine-tuned on 100 held-out rows" in text
    cells = [cell.strip() for cell in row(text, "Perplexity") if cell.strip()]
    assert cells == ["Perplexity ↓", "45.2", "17.8", "−60.6 %", "−65.0 % to −55.0 %"]


def test_a_change_within_noise_is_neither_good_nor_bad() -> None:
    text = printed(tables.comparison(run()), style=True)
    assert "\x1b[32m−60.6 %" in text
    assert "m−5.0 %\x1b" not in text


def test_what_was_not_measured_is_a_dash() -> None:
    unmeasured = run()
    unmeasured["results"]["finetuned"]["bleu"] = None
    unmeasured["results"]["improvement"]["bleu"] = None
    unmeasured["results"]["intervals"]["bleu"] = None
    cells = [cell.strip() for cell in row(printed(tables.comparison(unmeasured)), "BLEU") if cell.strip()]
    assert cells == ["BLEU ↑", "0.05", "–", "–", "–"]


def test_a_list_shows_what_runs_and_what_ended() -> None:
    busy = run(id=8, status="running", stage="training", results=None, resources=None)
    busy["progress"]["step"] = 30
    text = printed(tables.run_list([busy, run()]))
    assert "running: training, 30/57" in text
    assert "completed" in text


def test_a_failure_says_what_to_do() -> None:
    error = {"code": "nan_loss", "title": "The loss became NaN.", "detail": "At step 3.", "hint": "Lower it."}
    failed = run(status="failed", error=error, results=None)
    assert printed(tables.failure(failed)).strip() == "lr 4e-3 failed: The loss became NaN. At step 3. Lower it."
    assert "Lower it." in printed(*tables.describe(failed))


def test_a_run_shows_the_settings_that_were_chosen() -> None:
    text = printed(*tables.describe(run()))
    assert "Learning rate  4e-3" in text
    assert "LoRA r" not in text  # as it is by default
    assert "Training took 42 s and 0.5 GB of memory on CPU" in text


@pytest.mark.parametrize("name", ["[red]x", "a\x1b[2Jb", "a\nb"])
def test_a_name_cannot_command_the_terminal(name: str) -> None:
    text = printed(tables.run_list([run(name=name)]), style=True)
    assert "\x1b[2J" not in text
    assert "x" not in name or "[red]x" in text
    assert len(text.splitlines()) == 3  # two of them the heading
