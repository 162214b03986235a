"""A conversation as a chat template writes it, cut into what stands before each answer and the answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from app.data.rows import Message, Row
from worker.finetune.errors import FinetuneError

# A template that prints today's date, or that lets a model think aloud, would make tomorrow's perplexity another one.
_OPTIONS = {"date_string": "01 Jan 2025", "enable_thinking": False}


@dataclass(frozen=True)
class Turn:
    """`spans` are the character ranges of `context` that are the user's text: what may be shortened."""

    context: str
    spans: tuple[tuple[int, int], ...]
    answer: str


@dataclass(frozen=True)
class Chat:
    """A tokenizer's chat template; an answer ends with the token `end_id`, written `end_text`."""

    tokenizer: Any
    end_id: int
    end_text: str

    @property
    def identity(self) -> str:
        return json.dumps([self.tokenizer.chat_template, _OPTIONS])

    def turns(self, row: Row) -> list[Turn]:
        """One turn an assistant message; where the template rewrites earlier turns, the last ones alone."""
        messages = list(row.messages) or [Message("user", row.prompt), Message("assistant", row.response)]
        try:
            return self._turns(messages)
        except TemplateError:
            try:
                return self._turns(_without_system(messages))  # some templates know no system role
            except TemplateError as error:
                raise _failed(error) from error

    def _turns(self, messages: list[Message]) -> list[Turn]:
        turns: list[Turn] = []
        said, since = "", 0
        for at, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = _render(self.tokenizer, messages[:at], ask=True)
            if not said or not prompt.startswith(said):
                turns, said, since = [], "", 0
            context = prompt[len(said) :]
            turns.append(Turn(context, spans(context, [m.content for m in messages[since:at]]), message.content))
            said, since = self._through_answer(messages[: at + 1], prompt), at + 1
        return turns

    def _through_answer(self, messages: list[Message], prompt: str) -> str:
        """The conversation up to its last answer's end mark; empty where the template changed what stood before."""
        whole = _render(self.tokenizer, messages, ask=False)
        answer = messages[-1].content.strip()
        start = whole.find(answer, len(prompt)) if whole.startswith(prompt) else -1
        if start < 0:
            return ""
        end = start + len(answer)
        return whole[: end + len(self.end_text)] if whole.startswith(self.end_text, end) else whole[:end]


def open_chat(tokenizer: Any, stop_ids: Sequence[int]) -> Chat:
    """The tokenizer's chat template, tried out; an answer ends as it closes one, if the model stops at that."""
    question = [Message("user", "question")]
    try:
        prompt = _render(tokenizer, question, ask=True)
        whole = _render(tokenizer, [*question, Message("assistant", "answer")], ask=False)
    except TemplateError as error:
        raise _failed(error) from error
    _, _, ending = whole[len(prompt) :].partition("answer")
    ids = tokenizer(ending, add_special_tokens=False)["input_ids"]
    end_id = next((i for i in ids if i in stop_ids), stop_ids[0])
    return Chat(tokenizer, end_id, tokenizer.decode([end_id]))


def _render(tokenizer: Any, messages: Sequence[Message], *, ask: bool) -> str:
    listed = [{"role": m.role, "content": m.content} for m in messages]
    text: str = tokenizer.apply_chat_template(listed, tokenize=False, add_generation_prompt=ask, **_OPTIONS)
    return text


def bad_template(detail: str, hint: str) -> FinetuneError:
    return FinetuneError("bad_template", "The prompt template cannot be used", detail, hint)


def _failed(error: TemplateError) -> FinetuneError:
    return bad_template(f"The base model's chat template fails: {error}", "Set data.prompt_template to plain.")


def _without_system(messages: list[Message]) -> list[Message]:
    """The system's text as the beginning of the first question."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    if not system or not rest:
        return rest
    return [Message(rest[0].role, f"{system}\n\n{rest[0].content}"), *rest[1:]]


def spans(context: str, texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where the texts stand in the context, in order; a text that the template changed is not found."""
    found: list[tuple[int, int]] = []
    position = 0
    for text in filter(None, (t.strip() for t in texts)):
        start = context.find(text, position)
        if start >= 0:
            position = start + len(text)
            found.append((start, position))
    return tuple(found)
