"""Runs with answers of their own to the same rows, for tests of what sets them side by side."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.artifacts import folder
from app.db import Database
from app.settings import Settings
from app.statistics.rouge import f_measure
from tests.stored_runs import add_completed

REFERENCES = (
    "Tiredness, weakness and shortness of breath are common. Pale skin may show as well.",
    "A nurse measures the blood pressure with a cuff on two separate visits.",
    "Most people get well within ten days. A cough can last for two weeks.",
    "Wash your hands often and stay at home while you have a fever.",
)


def write_answers(
    settings: Settings,
    run_id: int,
    finetuned: Sequence[str],
    *,
    base: Sequence[str] | None = None,
    references: Sequence[str] = REFERENCES,
    numbers: Sequence[int] | None = None,
    perplexities: Sequence[float] | None = None,
    ended: Sequence[bool | None] | None = None,
) -> None:
    """The run's predictions, an entry a row; ROUGE-L is that of the texts."""
    base = base or ["I do not know."] * len(finetuned)
    numbers = numbers or [10 * (place + 1) for place in range(len(finetuned))]
    lines = []
    for place, answer in enumerate(finetuned):
        reference = references[place]
        perplexity = perplexities[place] if perplexities else 4.0
        line = {
            "row": numbers[place],
            "prompt": f"<|user|>\nQuestion {numbers[place]}?</s>\n<|assistant|>\n",
            "reference": reference,
            "base": base[place],
            "finetuned": answer,
            "prompt_tokens": [1, 2, 3],
            "reference_tokens": [4, 5],
            "scores": {
                "base": _scores(base[place], reference, 20.0, True),
                "finetuned": _scores(answer, reference, perplexity, ended[place] if ended else True),
            },
        }
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    folder(settings, run_id).mkdir(parents=True, exist_ok=True)
    (folder(settings, run_id) / "predictions.jsonl").write_text("".join(lines), encoding="utf-8")


def _scores(answer: str, reference: str, perplexity: float, ended: bool | None) -> Mapping[str, Any]:
    from math import log

    known = {} if ended is None else {"ended": ended}
    return {"nll": log(perplexity) * 10, "tokens": 10, "rouge_l": f_measure(answer, reference), **known}


def add_answered(database: Database, settings: Settings, finetuned: Sequence[str], **fields: Any) -> int:
    """A completed run and its answers; what is not about answers are the run's own fields."""
    about = {"base", "references", "numbers", "perplexities", "ended"}
    run_id = add_completed(database, 4.0, **{name: value for name, value in fields.items() if name not in about})
    write_answers(settings, run_id, finetuned, **{name: value for name, value in fields.items() if name in about})
    return run_id
