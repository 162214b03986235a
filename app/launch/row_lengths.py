"""How many tokens the rows of a run have, as far as that is known without asking a tokenizer.

Best from a finished run on the same rows, else from a worker's count, else reckoned from characters.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from sqlmodel import Session

from app.data import token_counts, token_reader
from app.errors import Invalid
from app.launch.passes import Lengths, of_rows
from app.models import Dataset
from app.run_config import RunConfig, flatten
from app.settings import Settings

# What decides how many tokens a row has, before it is shortened to max_length.
OF_ROWS = ("model.base_model", "model.revision", "data.dataset", "data.prompt_template")
# Where only characters are known: as many make a token, and a template adds some.
CHARACTERS, TEMPLATE = 3, 32


def find(
    session: Session, settings: Settings, config: RunConfig, runs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> Lengths:
    """`runs`: settings, flat, and resources of finished ones, newest first."""
    limit = config.data.max_length
    found = _of_runs(flatten(config.model_dump(mode="json")), runs) or _of_counts(settings, config)
    return (found or _of_characters(session.get(Dataset, config.data.dataset), limit)).within(limit)


def _of_runs(asked: Mapping[str, Any], runs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Lengths | None:
    """A run that shortened rows tells nothing of more tokens than it left them."""
    wanted = [asked[name] for name in OF_ROWS]
    for flat, resources in runs:
        told = resources.get("row_tokens")
        if not told or [flat.get(name) for name in OF_ROWS] != wanted:
            continue
        if min(asked["data.max_length"], told["quantiles"][-1] + 1) <= flat["data.max_length"]:
            return Lengths(tuple(told["quantiles"]), told["scored"])
    return None


def _of_counts(settings: Settings, config: RunConfig) -> Lengths | None:
    model, data = config.model, config.data
    try:
        reader = token_reader.find(settings, model.base_model, model.revision, data.prompt_template)
    except Invalid:  # not on this machine
        return None
    counts = token_counts.read(token_counts.path(settings.dataset_dir(data.dataset), reader.version))
    if counts is None or not len(counts):
        return None
    return of_rows([prompt + answer for prompt, _, answer in counts.rows()], sum(counts.answer))


def _of_characters(dataset: Dataset | None, max_length: int) -> Lengths:
    statistics = dataset.statistics if dataset else {}
    sides = [statistics.get(name) or {} for name in ("prompt_characters", "response_characters")]
    if not all(side.get("max") for side in sides):
        return Lengths((max_length, max_length), 1.0, counted=False)
    at = [sum(side[name] for side in sides) for name in ("min", "median", "max")]
    share = sides[1]["mean"] / max(1, sum(side["mean"] for side in sides))
    tokens = [math.ceil(characters / CHARACTERS) + TEMPLATE for characters in at]
    # The longest row is far out: as many rows lie between the middle and it as close to the middle.
    return Lengths((tokens[0], tokens[1], round(1.3 * tokens[1]), max(tokens)), share, counted=False)
