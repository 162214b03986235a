"""How many rows of a data set a configuration trains on and holds out, fast enough to ask with every letter typed."""

from dataclasses import dataclass

from sqlmodel import Session

from app.config_sections import DataConfig
from app.data import leaks
from app.data.row_keys import KEYS_FILE
from app.models import Dataset
from app.settings import Settings

# Sides of a larger data set are not counted anew with every letter that is typed.
MOST_COUNTED = 20_000


@dataclass(frozen=True)
class Rows:
    """Not `exact` where the shares alone tell."""

    train: int
    held_out: int
    exact: bool


def count(session: Session, settings: Settings, data: DataConfig) -> Rows | None:
    """None for a data set that is not there."""
    dataset = session.get(Dataset, data.dataset)
    if dataset is None:
        return None
    folder = settings.dataset_dir(data.dataset)
    if dataset.rows <= MOST_COUNTED and (folder / KEYS_FILE).is_file():
        sides = leaks.measure(folder, data)
        return Rows(sides.train, sides.held_out, exact=True)
    held_out = round(dataset.rows * data.eval_fraction)
    train = round((dataset.rows - held_out) * (1 - data.validation_fraction))
    return Rows(min(train, data.max_train_rows or train), held_out, exact=False)
