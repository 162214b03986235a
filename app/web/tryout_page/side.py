"""A column of answers: who says what, how far it is, and how close it came to the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.models import Errand, Run
from app.statistics import rouge
from app.status import ErrandStatus

Json = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """`run` is None for a base model; `text` is None before it has begun."""

    label: str
    about: str
    run: int | None
    text: str | None
    tokens: int
    seconds: float
    ending: str | None
    rouge_l: float | None
    prompt: str | None
    prompt_tokens: int
    shortened: bool

    @property
    def is_writing(self) -> bool:
        return self.text is not None and self.ending is None

    @property
    def speed(self) -> float | None:
        """Tokens a second, of an answer that took long enough to tell."""
        return self.tokens / self.seconds if self.seconds >= 0.01 else None


def sides(errand: Errand, runs: Mapping[int, Run]) -> list[Side]:
    asked: Sequence[Json] = errand.request["sides"]
    answers = (errand.answer or {}).get("answers") or [{}] * len(asked)
    reference = reference_of(errand)
    several = sum(not side["adapter"] for side in asked) > 1
    return [_side(a, said, runs.get(a["run"]), reference, several) for a, said in zip(asked, answers, strict=True)]


def _side(asked: Json, said: Json, run: Run | None, reference: str, several: bool) -> Side:
    text = said.get("text")
    over = said.get("ending") is not None
    return Side(
        label=_label(asked, run),
        about=_about(asked, run, several),
        run=asked["run"] if asked["adapter"] else None,
        text=text,
        tokens=said.get("tokens", 0),
        seconds=said.get("seconds", 0.0),
        ending=said.get("ending"),
        rouge_l=rouge.f_measure(text, reference) if over and text is not None and reference else None,
        prompt=said.get("prompt"),
        prompt_tokens=said.get("prompt_tokens", 0),
        shortened=said.get("shortened", False),
    )


def _label(asked: Json, run: Run | None) -> str:
    if not asked["adapter"]:
        return "Base model"
    return run.name if run else f"Run {asked['run']}, deleted"


def _about(asked: Json, run: Run | None, several: bool) -> str:
    """What tells one base from another is how the runs have it."""
    if asked["adapter"]:
        return f"#{asked['run']}"
    if run is None:
        return ""
    method = run.config["quantization"]["method"]
    kind = "unquantised" if method == "none" else method
    return f"{kind}, as run #{run.id} has it" if several else kind


def reference_of(errand: Errand) -> str:
    """The answer that the data set has; empty for a prompt that somebody wrote."""
    row = errand.request["row"]
    messages = row.get("messages")
    return str(messages[-1]["content"] if messages else row.get("response", ""))


def question_of(errand: Errand) -> str:
    return question_of_row(errand.request["row"])


def question_of_row(row: Json) -> str:
    """What is asked, without any template: of a conversation all but its last turn."""
    if messages := row.get("messages"):
        return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages[:-1])
    return f"{row['instruction']}\n\n{row['input']}".strip()


def is_open(errand: Errand) -> bool:
    return errand.status in (ErrandStatus.QUEUED, ErrandStatus.RUNNING)
