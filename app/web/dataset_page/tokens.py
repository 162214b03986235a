"""One row's tokens as a page shows them: marks made visible, and no more of them than anybody reads."""

from dataclasses import dataclass
from typing import Any

# A page of more takes a browser seconds; the API has all of them.
MOST_SHOWN = 4000
PICTURES = {"\n": "↵\n", "\t": "→\t"}


@dataclass(frozen=True)
class Shown:
    id: int
    text: str
    trained: bool
    special: bool
    partial: bool  # it has no text of its own


@dataclass(frozen=True)
class TokenView:
    tokens: list[Shown]
    hidden: int
    total: int
    trained: int
    answer: dict[str, Any]

    @property
    def lost(self) -> int:
        return sum(self.answer["truncated"].values())


def view(answer: dict[str, Any]) -> TokenView:
    tokens = answer["tokens"]
    shown = [
        Shown(t["id"], _visible(t["text"]), t["trained"], t["special"], not t["text"]) for t in tokens[:MOST_SHOWN]
    ]
    trained = sum(token["trained"] for token in tokens)
    return TokenView(shown, len(tokens) - len(shown), len(tokens), trained, answer)


def _visible(text: str) -> str:
    """Line ends and tabs have a sign beside them; a part of a character, which has no text yet, is a dot."""
    return "".join(PICTURES.get(letter, letter) for letter in text) or "·"
