"""A prompt answered by a base and by adapters of it, each as evaluation has it answered: loaded once, one by one."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from app.config_sections import QuantizationConfig
from app.data.rows import Row
from app.generation import Generation
from app.run_config import RunConfig
from worker.finetune import saved_adapter
from worker.finetune.device import compute_dtype, pick_device
from worker.finetune.errors import FinetuneError, explained
from worker.finetune.evaluation import question_limit
from worker.finetune.generation import Decoding
from worker.finetune.model import load_base, load_config
from worker.finetune.reporter import Silent
from worker.finetune.streaming import Said, write
from worker.finetune.tokenizer import load_tokenizer, stop_ids
from worker.finetune.tokens import encode
from worker.finetune.turns import make_template
from worker.finetune.writers import whole_in_place


@dataclass(frozen=True)
class Side:
    """Who is asked: a run's fine-tuned model; without an adapter, the base as that run has it."""

    config: RunConfig
    adapter: Path | None


@dataclass(frozen=True)
class Question:
    """What a model is given. `shortened`: the prompt was too long and lost its beginning."""

    text: str
    ids: "array[int]"
    shortened: bool
    end_id: int


class Answering:
    """A base model on disk, and what is asked of it."""

    def __init__(self, model_path: Path, row: Row, generation: Generation) -> None:
        load_config(model_path)  # says what is wrong with the folder
        self._path, self._row, self._generation = model_path, row, generation
        self._tokenizer = load_tokenizer(model_path)
        self._stops = stop_ids(model_path, self._tokenizer)

    def question(self, side: Side) -> Question:
        """The row's prompt in the run's template, shortened as the run's held-out rows are."""
        data, evaluation = side.config.data, side.config.evaluation
        template = make_template(data.prompt_template, self._tokenizer, self._stops)
        whole = next(encode([(0, self._row)], template, self._tokenizer, Silent()))
        ids = whole.question(question_limit(data.max_length, evaluation.max_new_tokens))
        text = self._tokenizer.decode(ids, skip_special_tokens=False)
        return Question(text, ids, len(ids) < len(whole.prompt), template.end_id)

    def answer(self, sides: Sequence[Side], told: Callable[[int, Said], None]) -> list[Said]:
        """Each side's answer, in the order given; `told` hears whose grew, and what it is by now.

        The base is loaded once for each way of quantising it that the runs have.
        """
        answers: dict[int, Said] = {}
        with _explained():
            for quantization in dict.fromkeys(side.config.quantization for side in sides):
                members = [at for at, side in enumerate(sides) if side.config.quantization == quantization]
                answers |= self._answer_alike(quantization, {at: sides[at] for at in members}, told)
        return [answers[at] for at in range(len(sides))]

    def _answer_alike(
        self, quantization: QuantizationConfig, sides: dict[int, Side], told: Callable[[int, Said], None]
    ) -> dict[int, Said]:
        device = pick_device()
        dtype = compute_dtype(quantization.compute_dtype, device)
        base = load_base(self._path, quantization, dtype=dtype, device=device, stop_ids=self._stops)
        model = whole_in_place(base.model, dtype)
        answers = {}
        for at, side in sides.items():
            question = self.question(side)
            decoding = Decoding(self._generation.max_new_tokens, self._stops, question.end_id, dtype)
            with _as(side, model) as writer:
                heard = partial(told, at)
                answers[at] = write(writer, question.ids, self._generation, decoding, self._tokenizer, heard)
        return answers


def _as(side: Side, model: Any) -> AbstractContextManager[Any]:
    if side.adapter is None:
        return nullcontext(model)
    return saved_adapter.wearing(model, saved_adapter.read(side.adapter))


@contextmanager
def _explained() -> Iterator[None]:
    """Out of memory, with advice that fits an answer and not a training."""
    try:
        with explained("answering"):
            yield
    except FinetuneError as error:
        if error.code != "out_of_memory":
            raise
        hint = "Ask for fewer new tokens, close other programs that use the device, or try a smaller base model."
        raise replace(error, hint=hint) from error
