"""A row of a data set as it is stored after import: one JSON object a line, the same shape whatever was uploaded.

A pair is {"instruction", "input", "response"}; a conversation is {"messages": [{"role", "content"}, ...]} and ends
with an assistant's turn. Both may carry a "group" (topic, patient, document): rows of a group are held out together.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.data.split import key

ROWS_FILE = "rows.jsonl"


@dataclass(frozen=True)
class Message:
    role: str  # system, user or assistant
    content: str


@dataclass(frozen=True)
class Row:
    instruction: str = ""
    input: str = ""
    response: str = ""
    messages: tuple[Message, ...] = ()
    group: str | None = None

    @property
    def prompt(self) -> str:
        """What the row is known by: its question, or the first thing the user said."""
        if self.messages:
            return next((m.content for m in self.messages if m.role == "user"), "")
        return f"{self.instruction}\n{self.input}".strip()

    @property
    def reference(self) -> str:
        """The answer that evaluation compares with: the response, or the assistant's last turn."""
        return self.messages[-1].content if self.messages else self.response

    @property
    def key(self) -> bytes:
        """What decides the row's side of the split (app.data.split)."""
        return key(self.prompt if self.group is None else f"group {self.group}")

    def to_json(self) -> str:
        row: dict[str, object] = {}
        if self.messages:
            row["messages"] = [{"role": m.role, "content": m.content} for m in self.messages]
        else:
            row |= {"instruction": self.instruction, "input": self.input, "response": self.response}
        if self.group is not None:
            row["group"] = self.group
        return json.dumps(row, ensure_ascii=False)


def from_json(line: str) -> Row:
    """The row of one stored line; uploads, of any shape, go through the import instead."""
    row = json.loads(line)
    messages = tuple(Message(m["role"], m["content"]) for m in row.get("messages", ()))
    return Row(row.get("instruction", ""), row.get("input", ""), row.get("response", ""), messages, row.get("group"))


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a stored file in file order."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield from_json(line)
