"""What the runs of a study share, in words and figures: base, method, data and how far it can be trusted, hardware."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import Session

from app.models import Dataset, ResultImport, Run
from app.run_config import flatten, value_text
from app.study.text import listing

Json = dict[str, Any]

SHOWN_HASH = 12
QUANTISED = {"none": "not quantised", "nf4": "4-bit (nf4)", "fp4": "4-bit (fp4)", "int8": "8-bit (int8)"}
STATED = {
    "base_model": "Base model",
    "dataset": "Data",
    "train_rows": "Training rows",
    "gradient_accumulation_steps": "Accumulation",
}


def describe(session: Session, runs: Sequence[Run]) -> Json:
    """The figures by name, and `lines`: a label and a text each. What differs between runs is listed, not hidden."""
    launched = [run for run in runs if run.origin == "launched"]
    found = _measured(session, launched) if launched else {"lines": {}}
    for stated in _imports(session, runs):
        found = {**stated.setup, **found, "lines": {**_stated(stated), **found["lines"]}}
    return found


def _imports(session: Session, runs: Iterable[Run]) -> list[ResultImport]:
    ids = dict.fromkeys(run.import_id for run in runs if run.import_id is not None)
    return [found for found in (session.get(ResultImport, import_id) for import_id in ids) if found is not None]


def _stated(found: ResultImport) -> dict[str, str]:
    """What an import said of itself."""
    lines = {label: _plain(found.setup[name]) for name, label in STATED.items() if found.setup.get(name) is not None}
    return {"Imported": f"from {found.source}, as stated there", **lines}


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _measured(session: Session, runs: Sequence[Run]) -> Json:
    first = runs[0]
    dataset = session.get(Dataset, first.dataset_id) if first.dataset_id else None
    results, resources = first.results or {}, first.resources or {}
    return {
        "base_model": flatten(first.config).get("model.base_model"),
        "train_rows": resources.get("train_rows"),
        "dataset": dataset.name if dataset else None,
        "dataset_id": dataset.id if dataset else None,
        "dataset_sha256": dataset.sha256 if dataset else None,
        "eval_rows": results.get("eval_rows"),
        "device": resources.get("device"),
        "versions": first.environment.get("versions"),
        "fingerprint": first.fingerprint,
        "lines": {
            "Base model": _base(runs),
            "Method": _method(runs),
            "Data": _data(dataset, runs),
            **(_trust(dataset) if dataset else {}),
            "Shortened": _shortened(runs),
            "Evaluation": _evaluation(runs),
            "Hardware": _each(str((run.resources or {}).get("device") or "not recorded") for run in runs),
            "Versions": _versions(first),
        },
    }


def _base(runs: Sequence[Run]) -> str:
    models = ((flatten(run.config).get("model.base_model"), run.environment.get("model_commit")) for run in runs)
    return _each(f"{name} at {commit[:7]}" if commit else str(name) for name, commit in models)


def _method(runs: Sequence[Run]) -> str:
    configs = [flatten(run.config) for run in runs]
    targets = _each(value_text(config.get("lora.target_modules")) for config in configs)
    methods = _each(QUANTISED.get(str(config.get("quantization.method")), "not stated") for config in configs)
    optim = _each(str(config.get("training.optim")) for config in configs)
    schedule = _each(str(config.get("training.lr_scheduler_type")) for config in configs)
    return f"LoRA on {targets}; base {methods}; {optim}, {schedule} schedule"


def _data(dataset: Dataset | None, runs: Sequence[Run]) -> str:
    known = [rows for run in runs if (rows := (run.resources or {}).get("train_rows"))]
    trained = f"; trained on {_each(f'{rows:,}' for rows in known)} rows" if known else ""
    if dataset is None:
        return f"deleted since{trained}"
    return f"{dataset.name}, {dataset.rows:,} rows, SHA-256 {dataset.sha256[:SHOWN_HASH]}{trained}"


def _trust(dataset: Dataset) -> dict[str, str]:
    """How far results on this data can be believed, of the default split."""
    found = dataset.statistics
    leaked, near = (found.get("leakage") or {}).get("rows"), found.get("near_duplicates") or {}
    across = (
        ["no answer on both sides of the split" if leaked == 0 else f"{leaked} held-out answers are also trained on"]
        if leaked is not None
        else []
    )
    if near:
        across.append(f"{near['rows']} of {near['checked']} held-out prompts nearly repeat a training prompt")
    inside = [
        f"{found[name]:,} {words}"
        for name, words in (("duplicate_prompts", "repeated prompts"), ("duplicate_pairs", "repeated pairs"))
        if found.get(name) is not None
    ]
    nearly, broken = found.get("near_duplicates_inside"), found.get("unfinished_responses")
    if nearly:
        bound = "" if nearly["complete"] else "at least "
        inside.append(f"{bound}{nearly['rows']:,} of {nearly['checked']:,} training prompts nearly repeat another")
    if broken is not None:
        inside.append(f"{broken:,} responses break off")
    lines = {"Inside the data": "; ".join(inside), "Across the split": "; ".join(across)}
    lines["Left out"] = f"{dataset.skipped_rows:,} rows that could not be used" if dataset.skipped_rows else ""
    return {label: text for label, text in lines.items() if text}


def _shortened(runs: Sequence[Run]) -> str:
    """Rows that did not fit max_length."""
    return _each(_cut(run) for run in runs)


def _cut(run: Run) -> str:
    results, limit = run.results or {}, flatten(run.config).get("data.max_length")
    prompts, responses = results.get("shortened_prompts"), results.get("cut_responses")
    if prompts is None or responses is None:
        return "not recorded"
    if not prompts and not responses:
        return f"no row is longer than {limit} tokens"
    return f"at {limit} tokens {prompts:,} prompts were shortened and {responses:,} responses lost their end"


def _evaluation(runs: Sequence[Run]) -> str:
    rows = _each(str((run.results or {}).get("eval_rows") or "?") for run in runs)
    keys = _each((run.fingerprint or "none")[:SHOWN_HASH] for run in runs)
    return f"{rows} held-out rows, greedy decoding, fingerprint {keys}"


def _versions(run: Run) -> str:
    versions = {"tuneboard": run.environment.get("tuneboard"), **(run.environment.get("versions") or {})}
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version) or "not recorded"


def _each(texts: Iterable[str]) -> str:
    """What the runs have, each once; most often one."""
    return listing(list(dict.fromkeys(texts)))
