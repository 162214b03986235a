"""What was typed into the form of a try-out: kept as it is for showing again, and read into what is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from starlette.datastructures import FormData

from app import generation, ids
from app.generation import Generation
from app.models import Errand
from app.tryouts import Wanted

DEFAULTS = {name: f"{value:g}" for name, value in Generation().model_dump().items()}


@dataclass(frozen=True)
class Typed:
    runs: Sequence[int] = ()
    prompt: str = ""
    input: str = ""
    row: int | None = None
    settings: Mapping[str, str] = field(default_factory=lambda: DEFAULTS)

    @classmethod
    def of_form(cls, form: FormData) -> Self:
        texts = {name: str(form.get(name, "")).replace("\r\n", "\n") for name in ("prompt", "input")}
        settings = {name: str(form.get(f"settings.{name}", "")).strip() for name in DEFAULTS}
        chosen = [found for value in form.getlist("runs") if (found := ids.parse(str(value)))]
        return cls(chosen, **texts, row=_number(str(form.get("row", ""))), settings=settings)

    @classmethod
    def of_address(cls, runs: Sequence[str], prompt: str, row: str) -> Self:
        """Ids with commas or repeated, as comparisons have them."""
        parts = [part.strip() for text in runs for part in text.split(",")]
        return cls([found for part in parts if (found := ids.parse(part))], prompt, row=_number(row))

    @classmethod
    def of_errand(cls, errand: Errand) -> Self:
        asked = errand.request
        row = asked["row"]
        settings = {name: f"{value:g}" for name, value in asked["settings"].items()}
        return cls(asked["runs"], row.get("instruction", ""), row.get("input", ""), asked["number"], settings)

    def wanted(self) -> Wanted:
        """Raises Invalid by the field."""
        given = {name: text for name, text in self.settings.items() if text}
        return Wanted(self.runs, self.prompt, self.input, self.row, generation.parse(given, strict=False))


def _number(text: str) -> int | None:
    """A row's number, from 0; anything else is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
