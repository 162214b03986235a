"""The README.md that goes with an adapter or a merged model: what it is, how good, on which data, how to use it. Pure.

It holds nothing that differs between two equal trainings, such as dates and seconds: equal runs leave equal files.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from app.data import prompts
from app.metrics import COMPARED, Metric
from app.run_config import COMMON, LABELS, RunConfig, fields, flatten, value_text
from worker.finetune import how_to_load

Json = dict[str, Any]


@dataclass(frozen=True)
class Card:
    """A run, as the people who are given its product need to know it. `rescored`: of a merged model, see rescoring."""

    config: RunConfig
    results: Json
    environment: Json
    train_rows: int
    dataset: str
    rescored: Json | None = None

    @property
    def kind(self) -> Literal["adapter", "merged model"]:
        return "adapter" if self.rescored is None else "merged model"

    def text(self) -> str:
        parts = [_front(self), _title(self), _results(self), _merging(self), _prompt(self), _use(self)]
        return "\n\n".join([*filter(None, parts), _data(self), _settings(self), _made_with(self)]) + "\n"


def _front(card: Card) -> str:
    """What a hub reads. A base that came from elsewhere than a hub has no name there."""
    lines = [
        f"library_name: {'peft' if card.rescored is None else 'transformers'}",
        "pipeline_tag: text-generation",
        "tags: [lora, tuneboard]",
    ]
    if card.environment.get("model_commit"):
        relation = "adapter" if card.rescored is None else "finetune"
        lines = [f"base_model: {json.dumps(_base(card))}", f"base_model_relation: {relation}", *lines]
    return "\n".join(["---", *lines, "---"])


def _title(card: Card) -> str:
    what = "A LoRA adapter for" if card.rescored is None else "A LoRA adapter merged into"
    commit = card.environment.get("model_commit")
    at = f" at commit `{commit}`" if commit else ""
    return (
        f"# {_base(card).rpartition('/')[2]}, fine-tuned ({card.kind})\n\n"
        f"{what} `{_base(card)}`{at}, trained on {card.train_rows:,} rows of {_plain(card.dataset)}."
    )


def _results(card: Card) -> str:
    results = card.results
    asked = (
        f"On {results['eval_rows']:,} held-out rows ({results['eval_tokens']:,} answer tokens), which training never "
        f"saw. Answers were decoded greedily, with at most {card.config.evaluation.max_new_tokens} new tokens."
    )
    rows = [[f"{m.label} ({m.direction} is better)", *_result(m, results)] for m in COMPARED]
    heads = ["", "Base", "Fine-tuned", "Change", "95 % interval of the change"]
    meant = "\n".join(f"- {m.label}: {m.help}." for m in COMPARED)
    return f"## Results\n\n{asked}\n\n{_table(heads, rows)}\n\n{meant}"


def _result(metric: Metric, results: Json) -> list[str]:
    base, tuned = (results[side].get(metric.short) for side in ("base", "finetuned"))
    interval = (results.get("intervals") or {}).get(metric.short)
    return [
        _number(base, metric.decimals + 1),
        _number(tuned, metric.decimals + 1),
        _percent(results["improvement"].get(metric.short)),
        f"{_percent(interval[0])} to {_percent(interval[1])}" if interval else "not known",
    ]


def _merging(card: Card) -> str:
    if card.rescored is None:
        return ""
    scored = card.rescored
    rows = [
        [m.label, _number(scored["adapter"][m.short], 5), _number(scored["merged"][m.short], 5), _shift(scored, m)]
        for m in COMPARED
    ]
    said = (
        "The merged weights were read back from these files and measured again, on the same rows. Of "
        f"{scored['rows']:,} answers {scored['same_answers']:,} are word for word those of the adapter on its base."
    )
    return f"## After merging\n\n{said}\n\n{_table(['', 'Adapter', 'Merged', 'Difference (95 % interval)'], rows)}"


def _shift(scored: Json, metric: Metric) -> str:
    change = scored["changes"][metric.short]
    if change is None:
        return "does not compare"
    interval = change["interval"]
    within = f" ({interval[0]:+.5f} to {interval[1]:+.5f})" if interval else ""
    return f"{change['absolute']:+.5f}{within}"


def _prompt(card: Card) -> str:
    """As the model was trained to be asked: anything else is answered worse."""
    if card.environment["prompt_template"] == "chat":
        return "## Prompt\n\nAsk with the tokenizer's chat template."
    chosen = card.config.data.prompt_template
    text = prompts.PLAIN if chosen in prompts.NAMES else chosen
    ending = "; what follows its last line is a line break" if text.endswith("\n") else ""
    return f"## Prompt\n\nAsk with this Jinja template{ending}:\n\n{_block(text.rstrip())}"


def _use(card: Card) -> str:
    if card.rescored is not None:
        return f"## Use\n\n{_block(how_to_load.MERGED, 'python')}"
    code = how_to_load.adapter(card.config, card.environment)
    return f"## Use\n\nLoad the base as it was in training:\n\n{_block(code, 'python')}"


def _data(card: Card) -> str:
    data, results, hashes = card.config.data, card.results, card.environment["hashes"]
    lines = [
        f"- Data set: {_plain(card.dataset)}, SHA-256 of its rows `{hashes['dataset']}`",
        f"- {card.train_rows:,} training rows and {results['eval_rows']:,} held-out rows, "
        f"split by prompt (share held out {data.eval_fraction:g}, seed {data.split_seed})",
        f"- At most {data.max_length} tokens a row: {results['shortened_prompts']:,} prompts were shortened, "
        f"{results['cut_responses']:,} responses cut",
    ]
    return "## Data\n\n" + "\n".join(lines)


def _settings(card: Card) -> str:
    """Those that people look for, and those that are not as they come."""
    values = flatten(card.config.model_dump(mode="json"))
    usual = {name: field.get_default() for name, field in fields()}
    told = [name for name in values if name in COMMON or values[name] != usual[name]]
    rows = [[LABELS[name], f"`{name}`", _plain(value_text(values[name])[:80])] for name in told]
    return f"## Settings\n\n{_table(['Setting', 'Name', 'Value'], rows)}"


def _made_with(card: Card) -> str:
    versions = {"tuneboard": card.environment["tuneboard"], **card.environment["versions"]}
    return "## Made with\n\n" + ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _base(card: Card) -> str:
    return card.config.model.base_model


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1) if heads[0] == "" else ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _block(text: str, language: str = "") -> str:
    return f"~~~{language}\n{text}\n~~~"


def _plain(text: str) -> str:
    """On one line, and no mark of a table's."""
    return " ".join(text.split()).replace("|", "\\|")


def _number(value: float | None, decimals: int) -> str:
    return "not measured" if value is None else f"{value:,.{decimals}f}"


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:+.1%}"
