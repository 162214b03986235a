from app.data.shortened import of_dataset
from app.db import Database
from app.models import Run
from tests.stored_runs import add_completed, config


def counted(database: Database, prompts: int, responses: int, max_length: int, dataset_id: int = 1) -> int:
    run_id = add_completed(database, 20.0, config=config(data__max_length=max_length), dataset_id=dataset_id)
    with database.writing() as session:
        run = session.get(Run, run_id)
        assert run is not None
        run.results = {**(run.results or {}), "shortened_prompts": prompts, "cut_responses": responses}
        session.commit()
    return run_id


def test_the_newest_count_of_each_length_is_told(database: Database, dataset: object) -> None:
    counted(database, 9, 9, 512)
    newest = counted(database, 3, 1, 512)
    short = counted(database, 40, 12, 64)
    add_completed(database, 20.0, dataset_id=1)
    with database.reading() as session:
        found = [(item.run_id, item.max_length, item.prompts, item.responses) for item in of_dataset(session, 1)]
    assert found == [(short, 64, 40, 12), (newest, 512, 3, 1)]


def test_nothing_is_told_of_other_data_or_before_a_run(database: Database) -> None:
    with database.reading() as session:
        assert of_dataset(session, 1) == []
