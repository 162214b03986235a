"""How a try-out's answer is generated: greedily, as in every evaluation, unless a temperature is set."""

from typing import Any

from pydantic import ValidationError

from app.config_sections import Section, setting
from app.errors import Invalid
from app.findings import field_error


class Generation(Section):
    max_new_tokens: int = setting(128, "New tokens", "The longest answer.", unit="tokens", ge=1, le=8192)
    temperature: float = setting(
        0.0, "Temperature", "0: always the most likely token, as evaluation does; 1: as likely as the model says.",
        ge=0, le=5,
    )  # fmt: skip
    top_p: float = setting(
        1.0,
        "Top p",
        "Draw among the likeliest tokens that together reach this share; needs a temperature.",
        gt=0,
        le=1,
    )
    seed: int = setting(
        42, "Seed", "Of the draws, the same for every model; a greedy answer draws none.", ge=0, le=2**31 - 1
    )

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0


def parse(data: Any, *, strict: bool = True) -> Generation:
    """Of a form (`strict=False`: numbers are text there) and of the API; raises Invalid by `settings.` and the name."""
    try:
        return Generation.model_validate(data, strict=strict)
    except ValidationError as error:
        found = [field_error(item) for item in error.errors()]
        raise Invalid([type(item)(f"settings.{item.field}", item.message) for item in found]) from None
