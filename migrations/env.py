"""Runs the migrations on an engine of their own, without foreign keys, all of them in one transaction.

With SQLite's foreign keys on, altering a parent table (a copy, then a drop) would delete every child row by cascade;
so they are off here, and checked before the commit. Python's driver would commit before each CREATE, DROP or ALTER,
and a migration that fails halfway would leave a half: so it is told to keep out, and BEGIN is ours.
"""

from typing import Any

from alembic import context
from sqlalchemy import create_engine, event, text

from app.db import BUSY_TIMEOUT_MS
from app.models import metadata
from app.settings import Settings


def run() -> None:
    engine = create_engine(context.config.get_main_option("sqlalchemy.url") or Settings().database)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
        with context.begin_transaction():
            context.run_migrations()
            if broken := connection.execute(text("PRAGMA foreign_key_check")).all():
                raise RuntimeError(f"the migration left rows that point nowhere: {broken[:5]}")
    engine.dispose()


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


run()
