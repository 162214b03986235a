"""Bring the database file to the newest schema; the migrations travel with the program."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.db import Database, connect
from app.settings import ROOT, Settings


def upgrade(settings: Settings) -> None:
    """Create or upgrade the database; does nothing to one that is current."""
    database = connect(settings.database)
    database.read.connect().close()  # a first connection makes the file and switches it to WAL, for good
    database.dispose()
    command.upgrade(_config(settings.database), "head")


def is_current(database: Database) -> bool:
    with database.read.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    return revision == ScriptDirectory.from_config(_config("")).get_current_head()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
