"""A table from elsewhere becomes runs that say what was stated and nothing more."""

from pathlib import Path

import pytest
from sqlmodel import select

from app.db import connect
from app.errors import Invalid
from app.importing.imports import import_table
from app.importing.result_tables import read
from app.migrate import upgrade
from app.models import RunValue
from app.settings import Settings
from app.study.report import build
from app.study.sources import load
from tests.app.study.reference_study import BASE, TABLE

SETUP = {
    "base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    "dataset": "medical pairs",
    "train_rows": 2500,
    "gradient_accumulation_steps": 4,
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path)
    upgrade(made)
    return made


def test_the_reference_table_gives_the_reference_report(settings: Settings) -> None:
    db = connect(settings.database)
    with db.writing() as session:
        experiment, runs = import_table(
            session, read(TABLE, "md"), experiment="Reference", source="notes.md", base=BASE, setup=SETUP
        )
    assert [run.origin for run in runs] == ["imported"] * 7
    assert "data" not in runs[0].config
    assert runs[0].config["training"]["gradient_accumulation_steps"] == 4
    with db.reading() as session:
        assert experiment.id is not None
        report = build(load(session, settings, experiment.id))
        assert len(session.exec(select(RunValue)).all()) == 21
    db.dispose()
    assert report["best"]["name"] == "Exp 6"
    assert report["best"]["effective_batch_size"] == 16
    assert round(report["base_vs_finetuned"]["perplexity"]["improvement"], 3) == -0.606
    assert next(t for t in report["time"] if t["name"] == "Exp 6")["per_1000_rows"] == 1800
    assert report["setup"]["base_model"] == SETUP["base_model"]


def test_a_run_without_4_bit_shows_what_4_bit_saves(settings: Settings) -> None:
    lines = [line.rstrip("|\n ") for line in TABLE.strip().splitlines()]
    extra = ["| Quantization | Mean memory |", "|---|---|", *["| nf4 | 3.8 GB |"] * 7]
    table = "\n".join(a + b for a, b in zip(lines, extra, strict=True))
    table += "\n| Full | 2e-4 | 4 | 8 | 16 | 3 | 18.6 | 0.42 | 0.51 | ~45 min | 12.5 GB | no 4-bit | none | 11.2 GB |"
    db = connect(settings.database)
    with db.writing() as session:
        experiment, _ = import_table(session, read(table, "md"), experiment="Memory", source="notes.md", base=BASE)
    with db.reading() as session:
        assert experiment.id is not None
        memory = build(load(session, settings, experiment.id))["memory"]
    db.dispose()
    four_bits = next(row for row in memory if row["quantization"] == "nf4")
    assert round(four_bits["saving"], 3) == -0.664
    assert four_bits["mean_bytes"] == 3.8e9


@pytest.mark.parametrize(
    ("base", "setup", "field"),
    [
        ({"ppl": 45.2}, {}, "base.ppl"),
        ({"perplexity": "45"}, {}, "base.perplexity"),
        ({}, {"rows": 2500}, "setup.rows"),
        ({}, {"train_rows": 0}, "setup.train_rows"),
        ({}, {"base_model": 7}, "setup.base_model"),
    ],
)
def test_what_cannot_be_stated_is_named(settings: Settings, base: dict, setup: dict, field: str) -> None:
    db = connect(settings.database)
    with db.writing() as session, pytest.raises(Invalid) as caught:
        import_table(session, read(TABLE, "md"), experiment="x", source="x", base=base, setup=setup)
    db.dispose()
    assert [error.field for error in caught.value.errors] == [field]
