"""One row exactly as the model will read it: its tokens, which of them the loss counts, and what did not fit."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers.decoders import DecodeStream

from app.data import dataset_rows
from worker.errand.reading import open_reading
from worker.finetune.errors import FinetuneError
from worker.finetune.reporter import Silent
from worker.finetune.tokens import Encoded, Example, encode


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:  # noqa: ARG001
    reading = open_reading(Path(request["model_path"]), request["prompt_template"])
    found = dataset_rows.page(Path(request["rows"]).parent, limit=1, offset=request["row"]).items
    if not found:
        raise FinetuneError("no_row", "There is no such row", f"The data set ends before row {request['row'] + 1}.", "")
    [whole] = encode([(request["row"], found[0].row)], reading.template, reading.tokenizer, Silent())
    return _shown(whole, whole.fit(request["max_length"]), reading.tokenizer) | {
        "prompt_template": reading.template.kind,
        "max_length": request["max_length"],
    }


def _shown(whole: Encoded, fitted: Example, tokenizer: Any) -> dict[str, Any]:
    ids = fitted.ids.tolist()
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    tokens = [
        {"id": token, "text": text, "trained": bool(counted), "special": token in special}
        for token, text, counted in zip(ids, _texts(tokenizer, ids), fitted.counted, strict=True)
    ]
    prompt, answer = len(whole.prompt), len(whole.answer)
    return {
        "row": whole.row,
        "text": "".join(str(token["text"]) for token in tokens),
        "tokens": tokens,
        "tokens_before": prompt + answer,
        "truncated": {
            "prompt_tokens": prompt - fitted.answer_at,
            "answer_tokens": answer - (len(fitted) - fitted.answer_at),
        },
    }


def _texts(tokenizer: Any, ids: Sequence[int]) -> Iterator[str]:
    """What each token stands for. A character that several tokens make up stands at the last of them."""
    if not tokenizer.is_fast:
        yield from (tokenizer.decode([token]) for token in ids)
        return
    stream = DecodeStream(skip_special_tokens=False)
    for token in ids:
        yield stream.step(tokenizer.backend_tokenizer, token) or ""
