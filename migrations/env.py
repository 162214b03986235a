"""Runs the migrations on an engine of their own, without foreign keys.

With SQLite's foreign keys on, altering a parent table (a copy, then a drop) would delete every child row by cascade;
so they are off here, and checked afterwards.
"""

from alembic import context
from sqlalchemy import create_engine, text

from app.models import metadata
from app.settings import Settings


def run() -> None:
    engine = create_engine(context.config.get_main_option("sqlalchemy.url") or Settings().database)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
        broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    engine.dispose()
    if broken:
        raise RuntimeError(f"the migration left rows that point nowhere: {broken[:5]}")


run()
