"""A run's rows as tokens: those that an earlier run has left on disk, or new ones, which are left for the next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.finetune import token_cache
from worker.finetune.reporter import Reporter
from worker.finetune.selection import Numbered
from worker.finetune.tokens import Encoded, encode
from worker.finetune.turns import Template

TOKEN_BYTES = 6  # of a kept token, with its marks


@dataclass(frozen=True)
class Reader:
    """`dataset` and `tokenizer_hash` are hashes of content; without a `cache` nothing is kept."""

    tokenizer: Any
    tokenizer_hash: str
    dataset: str
    cache: Path | None
    reporter: Reporter

    def read(self, rows: Sequence[Numbered], template: Template) -> Iterator[Encoded]:
        # A tokenizer in Python may have options that its vocabulary does not tell.
        if self.cache is None or not rows or not self.tokenizer.is_fast:
            return encode(rows, template, self.tokenizer, self.reporter)
        numbers = [number for number, _ in rows]
        key = token_cache.make_key(self.dataset, numbers, self.tokenizer, self.tokenizer_hash, template)
        known = token_cache.load(self.cache, key)
        return self._kept(rows, template, self.cache, key) if known is None else iter(known)

    def _kept(self, rows: Sequence[Numbered], template: Template, cache: Path, key: str) -> Iterator[Encoded]:
        held: list[Encoded] = []
        size = 0
        for item in encode(rows, template, self.tokenizer, self.reporter):
            size += TOKEN_BYTES * (len(item.prompt) + len(item.answer))
            if size <= token_cache.LARGEST:
                held.append(item)
            yield item
        if size > token_cache.LARGEST:
            return
        try:
            token_cache.store(cache, key, held)
        except OSError as error:
            self.reporter.log(f"The rows' tokens are not kept for the next run: {error}")
