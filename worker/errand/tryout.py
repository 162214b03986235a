"""A try-out: each side's answer, growing token by token."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.data.rows import from_json
from app.generation import Generation
from app.run_config import parse
from worker.finetune.answering import Answering, Question, Side
from worker.finetune.streaming import Said


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """`{"answers": [...]}`, one a side; a side that has not begun has no text yet."""
    answering = Answering(
        Path(request["model_path"]),
        from_json(json.dumps(request["row"])),
        Generation.model_validate(request["settings"]),
    )
    sides = [_side(side) for side in request["sides"]]
    answers = [_given(answering.question(side)) for side in sides]
    emit({"answers": answers})

    def told(at: int, said: Said) -> None:
        answers[at] |= asdict(said)
        emit({"answers": answers})

    answering.answer(sides, told)
    return {"answers": answers}


def _side(side: dict[str, Any]) -> Side:
    return Side(parse(side["config"]), Path(side["adapter"]) if side["adapter"] else None)


def _given(question: Question) -> dict[str, Any]:
    """What the side was given; its answer comes beside it."""
    asked = {"prompt": question.text, "prompt_tokens": len(question.ids), "shortened": question.shortened}
    return asked | {"text": None, "tokens": 0, "seconds": 0.0, "ending": None}
