"""Bring the database file to the newest schema; the migrations travel with the program.

What has rows is copied first. The migrations run in one transaction: either the schema is new, or nothing happened.
Alembic is loaded where it migrates and nowhere else: the web process only asks which schema is there, and would keep
150 modules for that.
"""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, literal, select, table
from sqlalchemy.exc import SQLAlchemyError

from app.backups import snapshot
from app.db import Database, file_of, opened
from app.errors import Conflict
from app.settings import ROOT, Settings

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = ROOT / "migrations"
# Copies of the database from before a migration; older ones go.
KEPT = 3
# Tables that hold what a person would miss.
PRECIOUS = ("dataset", "experiment", "run")


def upgrade(settings: Settings) -> None:
    """Create or upgrade the database; does nothing to one that is current.

    For one process at a time: see app.up.prepare. Raises Conflict, with the database as it was, for a schema that is
    newer than this program or a migration that fails.
    """
    with opened(settings.database) as database:
        found = revision(database)  # a first connection makes the file and switches it to WAL, for good
        refuse_newer(file_of(settings.database), found)
        if found == head():
            return
        has_rows = found is not None and _has_rows(database)
    copy = _copy(settings) if has_rows else None
    with _explained(settings, found, copy):
        _migrate(settings.database)


def _migrate(url: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(_config(url), "head")
    except CommandError as error:
        raise RuntimeError(str(error)) from error


def refuse_newer(file: Path, found: str | None) -> None:
    """Raises Conflict for a schema that this program does not know: a newer one wrote it."""
    if not is_known(found):
        raise Conflict(
            f"{file} was written by a newer Tuneboard (schema {found}; this one knows up to {head()}): "
            "start that version, or restore a backup from before."
        )


def is_known(found: str | None) -> bool:
    """Whether this program can read such a schema, or bring it to its own."""
    return found is None or found in _known()


def is_current(database: Database) -> bool:
    return revision(database) == head()


def revision(database: Database) -> str | None:
    """The schema that the file has; None for an empty one."""
    with database.read.connect() as connection:
        if not connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").first():
            return None
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return str(found[0]) if found else None


def head() -> str:
    """The schema that this program works with: the one that no other migration starts from."""
    known = _known()
    (newest,) = set(known) - set(known.values())
    return newest


def _known() -> dict[str, str | None]:
    """Every migration with the one that it starts from, as their files say."""
    said = [_said(file) for file in (MIGRATIONS / "versions").glob("*.py")]
    return {revision: names.get("down_revision") for names in said if (revision := names.get("revision"))}


def _said(file: Path) -> dict[str, str | None]:
    """The names that a migration's file gives plain values to."""
    lines = ast.parse(file.read_text(encoding="utf-8")).body
    return {
        line.targets[0].id: line.value.value
        for line in lines
        if isinstance(line, ast.Assign)
        and isinstance(line.targets[0], ast.Name)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str | None)
    }


def _has_rows(database: Database) -> bool:
    with database.read.connect() as connection:
        tables = set(inspect(connection).get_table_names()).intersection(PRECIOUS)
        return any(connection.execute(select(literal(1)).select_from(table(name)).limit(1)).first() for name in tables)


def _copy(settings: Settings) -> Path:
    """`backups/before-REVISION-N.db`, N counting on; only the newest few are kept."""
    settings.backups_dir.mkdir(exist_ok=True)
    earlier = sorted(settings.backups_dir.glob("before-*-*.db"), key=_number)
    number = _number(earlier[-1]) + 1 if earlier else 1
    made = settings.backups_dir / f"before-{head()}-{number}.db"
    snapshot.take(file_of(settings.database), made)
    for old in [*earlier, made][:-KEPT]:
        old.unlink(missing_ok=True)
    return made


def _number(copy: Path) -> int:
    number = copy.stem.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


@contextmanager
def _explained(settings: Settings, found: str | None, copy: Path | None) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, RuntimeError) as error:
        kept = f"; a copy of it is {copy}" if copy else ""
        raise Conflict(
            f"The database {file_of(settings.database)} could not be brought from schema {found} to {head()}: "
            f"{error}. It is as it was{kept}. Start the version that wrote it, and report this."
        ) from error


def _config(url: str) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
