import threading
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import select

from app.db import Database, connect
from app.models import Experiment, Run, metadata


@pytest.fixture
def db(tmp_path: Path):
    database = connect(f"sqlite:///{tmp_path / 'deep' / 'x.db'}")
    metadata.create_all(database.write)
    yield database
    database.dispose()


def add_experiment(db: Database, name: str = "one") -> int:
    with db.writing() as session:
        experiment = Experiment(name=name)
        session.add(experiment)
        session.commit()
        assert experiment.id
        return experiment.id


def test_times_come_back_aware(db: Database) -> None:
    add_experiment(db)
    with db.reading() as session:
        created = session.exec(select(Experiment)).one().created_at
    assert created.utcoffset() is not None


def test_a_naive_time_is_refused(db: Database) -> None:
    with db.writing() as session:
        session.add(Experiment(name="x", created_at=datetime(2026, 1, 1)))  # noqa: DTZ001 - that is the point
        with pytest.raises(StatementError, match="naive"):
            session.commit()


def test_foreign_keys_are_enforced(db: Database) -> None:
    with db.writing() as session:
        session.add(Run(experiment_id=99, name="lost", config={}))
        with pytest.raises(IntegrityError):
            session.commit()


def test_a_reader_does_not_wait_for_a_writer(db: Database) -> None:
    add_experiment(db)
    with db.writing() as writer:
        writer.add(Experiment(name="pending"))
        writer.flush()
        with db.reading() as reader:
            assert [e.name for e in reader.exec(select(Experiment))] == ["one"]
        writer.rollback()


def test_read_then_write_by_many_threads_loses_nothing(db: Database) -> None:
    experiment_id = add_experiment(db)

    def append_a_letter() -> None:
        for _ in range(20):
            with db.writing() as session:
                experiment = session.get_one(Experiment, experiment_id)
                experiment.description += "x"
                session.commit()

    threads = [threading.Thread(target=append_a_letter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.reading() as session:
        assert len(session.get_one(Experiment, experiment_id).description) == 80
