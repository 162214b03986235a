"""A row as token ids: BOS, prompt, answer and end mark, shortened to fit, with the tokens that the loss counts."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from worker.finetune.chat import Turn
from worker.finetune.errors import FinetuneError
from worker.finetune.reporter import Reporter, check_stop
from worker.finetune.selection import Numbered
from worker.finetune.turns import Template


@dataclass(frozen=True)
class Example:
    """One row as the model reads it. `counted` has a byte a token: 1 where the loss counts it.

    The last answer begins at `answer_at`; everything before it is the prompt.
    """

    row: int
    ids: "array[int]"
    counted: bytes
    answer_at: int
    shortened: bool = False  # the prompt lost its beginning
    cut: bool = False  # the answer lost its end

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def prompt_ids(self) -> "array[int]":
        return self.ids[: self.answer_at]

    @property
    def answer_ids(self) -> "array[int]":
        return self.ids[self.answer_at :]


@dataclass(frozen=True)
class Encoded:
    """A row before anything is shortened. `free` marks prompt tokens that may go: never BOS or template marks."""

    row: int
    prompt: "array[int]"
    free: bytes
    counted: bytes  # of the prompt: 1 for the earlier answers of a conversation
    answer: "array[int]"

    def fit(self, max_length: int) -> Example:
        """Shorten the prompt from the left of the user's text, to no less than half; then cut the answer's end."""
        if len(self.prompt) + len(self.answer) <= max_length:
            counted = self.counted + b"\1" * len(self.answer)
            return Example(self.row, self.prompt + self.answer, counted, len(self.prompt))
        room = max(max_length - len(self.answer), max_length // 2)
        kept = _kept(self.free, room)
        answer = self.answer[: max(0, max_length - len(kept))]
        if not answer:
            raise FinetuneError(
                "context_too_short",
                "No room for an answer",
                f"The template's own marks take {len(kept)} of {max_length} tokens (row {self.row + 1}).",
                "Raise data.max_length, or use a shorter prompt template.",
            )
        ids = array("i", [self.prompt[i] for i in kept]) + answer
        counted = bytes(self.counted[i] for i in kept) + b"\1" * len(answer)
        shortened, cut = len(kept) < len(self.prompt), len(answer) < len(self.answer)
        return Example(self.row, ids, counted, len(kept), shortened, cut)

    def question(self, limit: int) -> "array[int]":
        """The prompt to generate from, shortened in the same way; it never depends on the reference."""
        return array("i", [self.prompt[i] for i in _kept(self.free, limit)])


def _kept(free: bytes, room: int) -> list[int]:
    """Positions that stay when free ones go from the left until `room` is enough, or none is free."""
    surplus = max(0, len(free) - room)
    kept = []
    for at, may_go in enumerate(free):
        if may_go and surplus:
            surplus -= 1
        else:
            kept.append(at)
    return kept


def last_answer_only(example: Example) -> Example:
    """The form that perplexity scores: of a conversation, the last answer."""
    counted = bytes(example.answer_at) + b"\1" * (len(example) - example.answer_at)
    return Example(example.row, example.ids, counted, example.answer_at, example.shortened, example.cut)


CHUNK = 500  # rows tokenised at once: a request to stop is heard between two


def encode(rows: Sequence[Numbered], template: Template, tokenizer: Any, reporter: Reporter) -> Iterator[Encoded]:
    for start in range(0, len(rows), CHUNK):
        check_stop(reporter)
        chunk = rows[start : start + CHUNK]
        turns = [template.turns(row) for _, row in chunk]
        contexts = _with_offsets(tokenizer, [t.context for row_turns in turns for t in row_turns])
        answers = iter(_tokenise(tokenizer, [t.answer.strip() for row_turns in turns for t in row_turns])["input_ids"])
        for (number, _), row_turns in zip(chunk, turns, strict=True):
            parts = [(turn, next(contexts), next(answers)) for turn in row_turns]
            yield _join(number, parts, tokenizer.bos_token_id, template.end_id)


Tokens = tuple[list[int], list[tuple[int, int]]]  # ids, and the characters that each stands for


def _with_offsets(tokenizer: Any, texts: list[str]) -> Iterator[Tokens]:
    found = _tokenise(tokenizer, texts, return_offsets_mapping=tokenizer.is_fast)
    offsets = found.get("offset_mapping") or [[(0, 0)] * len(ids) for ids in found["input_ids"]]
    return zip(found["input_ids"], offsets, strict=True)


def _tokenise(tokenizer: Any, texts: list[str], **options: bool) -> Any:
    """Ids of each text; what a tokenizer tells besides takes longer to put together than the ids to find."""
    unused = {"return_attention_mask": False, "return_token_type_ids": False, "verbose": False}
    return tokenizer(texts, add_special_tokens=False, **unused, **options)


def _join(row: int, parts: Sequence[tuple[Turn, Tokens, list[int]]], bos: int | None, end: int) -> Encoded:
    prompt: list[int] = []
    free, counted = bytearray(), bytearray()
    if bos is not None and (not parts[0][1][0] or parts[0][1][0][0] != bos):
        prompt, free, counted = [bos], bytearray(1), bytearray(1)
    answer: list[int] = []
    for turn, (ids, offsets), reply in parts:
        # What the last round left is an answer that belongs to the prompt of this one: it counts, and it may go.
        prompt += answer
        free += b"\1" * len(answer)
        counted += b"\1" * len(answer)
        prompt += ids
        free += _free(turn, offsets)
        counted += bytes(len(ids))
        answer = [*reply, end]
    return Encoded(row, array("i", prompt), bytes(free), bytes(counted), array("i", answer))


def _free(turn: Turn, offsets: Sequence[tuple[int, int]]) -> bytearray:
    """1 for each token that lies in the user's text; where a template changed the text, for each but the first."""
    if not turn.spans:
        return bytearray(1) + b"\1" * (len(offsets) - 1) if offsets else bytearray()
    free = bytearray(len(offsets))
    for first, last in turn.spans:
        for at, (start, end) in enumerate(offsets):
            if start < last and end > first:
                free[at] = 1
    return free
