"""Why results compare or do not, in words: what the runs of a group were asked alike, and what another was not."""

from typing import Any

from sqlmodel import Session

from app.models import Dataset, ResultImport, Run
from app.run_config import LABELS, flatten

# What `fingerprint` is made of, as far as it is a setting; the rest is the data set's content and the definitions.
ASKED = (
    "data.dataset",
    "data.split_seed",
    "data.eval_fraction",
    "evaluation.max_eval_rows",
    "data.max_length",
    "evaluation.max_new_tokens",
)
# What `perplexity_key` adds: the tokens that are counted.
TOKENS = ("model.base_model", "model.revision", "data.prompt_template")


def describe(session: Session, run: Run) -> str:
    """What this run and all that compare with it were asked."""
    if run.import_id is not None:
        found = session.get(ResultImport, run.import_id)
        return f"imported from {found.source if found else 'elsewhere'}, as stated there; spread unknown"
    config = flatten(run.config)
    parts = [_dataset_name(session, config.get("data.dataset"))]
    rows = (run.results or {}).get("eval_rows")
    parts.append(f"{rows:,} held-out rows" if isinstance(rows, int) else "held-out rows")
    parts += [f"split seed {config.get('data.split_seed')}", f"at most {config.get('data.max_length')} tokens a row"]
    parts.append(f"{config.get('evaluation.max_new_tokens')} new tokens")
    return ", ".join(parts)


def difference(session: Session, run: Run, other: Run) -> str:
    """Why `run` is not ranked with `other`."""
    what = "Perplexity is not" if not _is_elsewhere(run, other) and run.fingerprint == other.fingerprint else "Not"
    return f"{what} ranked with the first group: {reason(session, run, other)}."


def reason(session: Session, run: Run, other: Run) -> str:
    """Why a difference between two runs would mean nothing, in some metric or in any."""
    if _is_elsewhere(run, other):
        return "how results from elsewhere were measured is not known"
    if run.fingerprint != other.fingerprint:
        found = _differences(session, run, other, ASKED)
        why = "; ".join(found) or "the data set's content or the definition of a metric is another"
        return f"it was asked something else: {why}"
    found = _differences(session, run, other, TOKENS)
    return f"it counts other tokens: {'; '.join(found) or 'the tokenizer or the rendered template is another'}"


def _is_elsewhere(run: Run, other: Run) -> bool:
    return any(one.import_id is not None or one.fingerprint is None for one in (run, other))


def _differences(session: Session, run: Run, other: Run, names: tuple[str, ...]) -> list[str]:
    ours, theirs = flatten(run.config), flatten(other.config)
    return [
        f"{LABELS[name].lower()} {_text(session, name, ours.get(name))} instead of "
        f"{_text(session, name, theirs.get(name))}"
        for name in names
        if ours.get(name) != theirs.get(name)
    ]


def _text(session: Session, name: str, value: Any) -> str:
    if name == "data.dataset":
        return _dataset_name(session, value)
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _dataset_name(session: Session, dataset_id: Any) -> str:
    dataset = session.get(Dataset, dataset_id) if isinstance(dataset_id, int) else None
    return dataset.name if dataset else f"data set {dataset_id}"
