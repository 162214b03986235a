"""Everything that a run needs before it computes: checked settings, rows as tokens, the loaded base, the keys."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.launch import model_shape
from app.run_config import RunConfig
from worker.finetune import keys, packing, recomputation
from worker.finetune.device import compute_dtype, compute_with, pick_device
from worker.finetune.errors import FinetuneError, explained
from worker.finetune.evaluation import HeldOut, held_out
from worker.finetune.generation import Decoding
from worker.finetune.model import Base, check_context, load_base, load_config
from worker.finetune.paths import Paths
from worker.finetune.pulse import pulse
from worker.finetune.reporter import Reporter, check_stop
from worker.finetune.row_tokens import Reader
from worker.finetune.selection import Numbered, Selection, select
from worker.finetune.tokenizer import load_tokenizer, stop_ids
from worker.finetune.tokens import Example
from worker.finetune.turns import Template, make_template

# A share of rows that lose text from which on the run says so beside its results, not only in its log.
NOTEWORTHY = 0.05


@dataclass(frozen=True)
class Prepared:
    config: RunConfig
    tokenizer: Any
    base: Base
    template: Template
    train: list[Example]
    validation: list[Example]
    held_out: HeldOut
    plain_held_out: HeldOut | None  # in the plain prompt, where the base has a chat template
    decoding: Decoding
    keys: keys.Keys
    hashes: dict[str, str]
    recompute: bool  # activations, in the backward pass
    paths: Paths

    @property
    def shortened(self) -> int:
        return sum(e.shortened for e in self._used)

    @property
    def cut(self) -> int:
        return sum(e.cut for e in self._used)

    @property
    def _used(self) -> list[Example]:
        return [*self.train, *self.validation, *self.held_out.examples]


def prepare(
    config: RunConfig,
    *,
    model_path: Path,
    rows_path: Path,
    dataset_sha256: str | None,
    cache_dir: Path | None = None,
    count_threads: Callable[[], int] | None = None,
    reporter: Reporter,
) -> Prepared:
    """What can be wrong is found in the order of its cost: settings, then rows, then the model's weights."""
    model_config = load_config(model_path)
    check_context(model_config, config.data.max_length)
    tokenizer = load_tokenizer(model_path)
    stops = stop_ids(model_path, tokenizer)
    template = make_template(config.data.prompt_template, tokenizer, stops)
    selection = select(rows_path, config.data, config.evaluation, reporter)
    dataset = dataset_sha256 or keys.file_hash(rows_path)
    reader = Reader(tokenizer, keys.tokenizer_hash(tokenizer), dataset, cache_dir, reporter)
    train, validation, rows = _tokens(config, selection, template, reader)
    _check_vocabulary([*train, *validation, *rows.examples], model_config.vocab_size)
    plain = None
    if template.kind == "chat":
        plain = _held_out(config, selection.held_out, make_template("plain", tokenizer, stops), reader)
    if count_threads:
        compute_with(count_threads())
    base, weights = _load(config, model_path, stops, reporter)
    hashes = {
        "dataset": dataset,
        "tokenizer": reader.tokenizer_hash,
        "template": template.identity,
        "weights": weights,
    }
    made = keys.make_keys(config, held_out=[number for number, _ in selection.held_out], base=base, **hashes)
    # Padding is masked by position, so any id will do; a tokenizer's own may lie beyond the model's embeddings.
    decoding = Decoding(config.evaluation.max_new_tokens, stops, template.end_id, base.dtype)
    recompute = recomputation.wanted(config, model_shape.read(model_path), base.device, train)
    paths = _paths(
        config, base, decoding.pad_id, train, [*validation, *rows.examples, *(plain.examples if plain else ())]
    )
    prepared = Prepared(
        config, tokenizer, base, template, train, validation, rows, plain, decoding, made, hashes, recompute, paths
    )
    _tell(prepared, reporter)
    return prepared


def _tokens(
    config: RunConfig, selection: Selection, template: Template, reader: Reader
) -> tuple[list[Example], list[Example], HeldOut]:
    def examples(rows: Sequence[Numbered]) -> list[Example]:
        return [item.fit(config.data.max_length) for item in reader.read(rows, template)]

    rows = _held_out(config, selection.held_out, template, reader)
    return examples(selection.train), examples(selection.validation), rows


def _held_out(config: RunConfig, rows: Sequence[Numbered], template: Template, reader: Reader) -> HeldOut:
    return held_out(
        list(reader.read(rows, template)),
        [row for _, row in rows],
        max_length=config.data.max_length,
        max_new_tokens=config.evaluation.max_new_tokens,
    )


def _check_vocabulary(examples: Sequence[Example], size: int) -> None:
    largest = max(max(example.ids) for example in examples)
    if largest >= size:
        raise FinetuneError(
            "tokenizer_mismatch",
            "The tokenizer does not fit the base model",
            f"A row holds token {largest}; the model knows {size} tokens, 0 to {size - 1}.",
            "Use the tokenizer that belongs to the model's weights.",
        )


def _load(config: RunConfig, path: Path, stops: tuple[int, ...], reporter: Reporter) -> tuple[Base, str]:
    """The base, and the hash of its weights: hashing holds no lock of Python's, so it goes on while they load."""
    check_stop(reporter)
    device = pick_device()
    dtype = compute_dtype(config.quantization.compute_dtype, device)
    with pulse(reporter), ThreadPoolExecutor(1) as aside:
        weights = aside.submit(keys.weights_hash, path)
        base = load_base(path, config.quantization, dtype=dtype, device=device, stop_ids=stops)
        found = weights.result()
    check_stop(reporter)
    if base.wrong_modules:
        count = len(base.wrong_modules)
        reporter.warn(
            f"{count} layers are kept unquantised, because bitsandbytes returns wrong weights for them on this "
            f"machine (their width is no multiple of the block size): {_shown(base.wrong_modules)}"
        )
    return base, found


def _paths(config: RunConfig, base: Base, pad_id: int, train: Sequence[Example], others: Sequence[Example]) -> Paths:
    longest = max(map(len, [*train, *others]))
    with explained("trying fast ways of computing on a few rows"):
        return packing.choose(
            base.model, train, longest=longest, pad_id=pad_id, dtype=base.dtype, training=config.training
        )


def _shown(names: Sequence[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _tell(prepared: Prepared, reporter: Reporter) -> None:
    rows = len(prepared.train) + len(prepared.validation) + len(prepared.held_out.examples)
    reporter.log(
        f"{len(prepared.train)} training rows, {len(prepared.validation)} validation rows, "
        f"{len(prepared.held_out.examples)} held-out rows; {prepared.template.kind} prompt template"
    )
    lost = prepared.shortened + prepared.cut
    if not lost:
        return
    say: Callable[[str], None] = reporter.warn if lost > NOTEWORTHY * rows else reporter.log
    say(
        f"Of {rows} rows {prepared.shortened} had their prompt shortened and {prepared.cut} their response cut "
        f"to fit max_length {prepared.config.data.max_length}"
    )
