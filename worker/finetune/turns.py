"""A row as text: what stands before each answer, and the answers; by chat template, plain or a text of the run."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.data import prompts
from app.data.rows import Row
from worker.finetune.chat import Turn, bad_template, open_chat, spans


@dataclass(frozen=True)
class Template:
    """How rows become turns. `kind` is chat, plain or custom; `identity` is what two equal templates share."""

    kind: str
    identity: str
    turns: Callable[[Row], list[Turn]]
    end_id: int  # the token that ends an answer


def make_template(choice: str, tokenizer: Any, stop_ids: Sequence[int]) -> Template:
    """The template that `data.prompt_template` asks for."""
    has_chat = bool(tokenizer.chat_template)
    if choice == "chat" and not has_chat:
        raise bad_template("The base model has no chat template.", "Set data.prompt_template to auto or plain.")
    if choice == "chat" or (choice == "auto" and has_chat):
        chat = open_chat(tokenizer, stop_ids)
        return Template("chat", _identity("chat", chat.identity), chat.turns, chat.end_id)
    if choice not in prompts.NAMES and (problem := prompts.check(choice)):
        raise bad_template(problem, "Correct data.prompt_template, or set it to auto or plain.")
    text = prompts.PLAIN if choice in prompts.NAMES else choice
    kind = "plain" if text == prompts.PLAIN else "custom"
    return Template(kind, _identity(kind, text), lambda row: _text_turns(text, row), stop_ids[0])


def _identity(kind: str, text: str) -> str:
    return hashlib.sha256(json.dumps([kind, text]).encode()).hexdigest()


def _text_turns(text: str, row: Row) -> list[Turn]:
    if not row.messages:
        context = prompts.render(text, row.instruction, row.input)
        return [Turn(context, spans(context, (row.instruction, row.input)), row.response)]
    turns: list[Turn] = []
    asked: list[str] = []
    for message in row.messages:
        if message.role != "assistant":
            asked.append(message.content)
            continue
        question = "\n".join(asked)
        context = ("\n\n" if turns else "") + prompts.render(text, question)
        turns.append(Turn(context, spans(context, (question,)), message.content))
        asked = []
    return turns
