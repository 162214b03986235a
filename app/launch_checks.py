"""What only the server can know about a configuration before it is queued: its data set, its base model, leaks."""

from sqlmodel import Session

from app.errors import Invalid
from app.models import Dataset
from app.run_config import RunConfig
from app.settings import Settings


def check(session: Session, settings: Settings, config: RunConfig) -> list[str]:
    """Warnings that belong beside the run; raises Invalid for what cannot work. Leaves no transaction open."""
    if session.get(Dataset, config.data.dataset) is None:
        raise Invalid.one("data.dataset", f"There is no data set {config.data.dataset}")
    session.rollback()  # files are read from here on, and nobody should wait for that with the write lock held
    return []
