import json

import pytest

from app.errors import Invalid
from app.importing.result_tables import media_of, read
from tests.app.study.reference_study import TABLE


def test_a_markdown_table_is_read_as_people_type_it() -> None:
    table = read(TABLE, "md")
    run = table.runs[6]
    assert run.name == "Exp 6"
    assert run.settings["training.learning_rate"] == 2e-4
    assert run.settings["training.num_train_epochs"] == 5
    assert run.metrics == {"perplexity": 17.8, "bleu": 0.44, "rouge_l": 0.53}
    assert run.resources == {"train_seconds": 4500, "peak_memory_bytes": 4.2e9}
    assert run.notes == "More epochs - best overall"
    assert not table.warnings


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [("~45 min", 2700), ("1 h 15 min", 4500), ("1.5 hours", 5400), ("90s", 90), ("0:45:00", 2700), ("2 h", 7200)],
)
def test_times(cell: str, seconds: float) -> None:
    assert read(f"run,perplexity,training time\na,1,{cell}", "csv").runs[0].resources["train_seconds"] == seconds


@pytest.mark.parametrize(("cell", "size"), [("~4.2 GB", 4.2e9), ("800MB", 8e8), ("4 GiB", 4 * 2**30)])
def test_sizes(cell: str, size: float) -> None:
    assert read(f"run,perplexity,GPU memory\na,1,{cell}", "csv").runs[0].resources["peak_memory_bytes"] == size


@pytest.mark.parametrize("cell", ["-", "", "n/a", "–", "None"])
def test_an_empty_cell_states_nothing(cell: str) -> None:
    run = read(f"run,perplexity,bleu,lora.r\na,18.7,{cell},{cell}", "csv").runs[0]
    assert (run.metrics, run.settings) == ({"perplexity": 18.7}, {})


def test_dotted_names_labels_and_synonyms_all_name_a_column() -> None:
    table = read("name,lora.r,LoRA dropout,lr,PPL ↓,colour\na,8,0.1,2e-4,18.7,blue", "csv")
    assert table.runs[0].settings == {"lora.r": 8, "lora.lora_dropout": 0.1, "training.learning_rate": 2e-4}
    assert table.columns["colour"] is None
    assert table.warnings == ["column 'colour' is not known and was left out"]


def test_json_is_a_list_of_runs() -> None:
    text = json.dumps([{"run": "a", "perplexity": 18.7, "epochs": 3}, {"run": "b", "perplexity": None, "bleu": 0.4}])
    assert [run.metrics for run in read(text, "json").runs] == [{"perplexity": 18.7}, {"bleu": 0.4}]


@pytest.mark.parametrize(
    ("text", "media", "said"),
    [
        ("run,perplexity\na,about 18", "csv", "line 1, perplexity: 'about 18' is not understood"),
        ("run,perplexity,training time\na,1,45", "csv", "line 1, train_seconds: '45' is not understood"),
        ("run,perplexity,lora.r\na,1,8.5", "csv", "line 1, lora.r: '8.5' is not understood"),
        ("run,colour\na,blue", "csv", "no column is a result"),
        ("run,ppl,perplexity\na,1,2", "csv", "two columns say the same"),
        ("run,perplexity", "csv", "no line"),
        ("no table here", "md", "no table"),
        ("{", "json", "not JSON"),
        ("[1]", "json", "list of objects"),
        ("a,b\n1,2,3", "csv", "more cells"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, media: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(text, media)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "media"),
    [
        ("a.md", "x", "md"),
        ("a.CSV", "| a |", "csv"),
        ("a.tsv", "x", "csv"),
        ("notes.txt", "Results\n\n| run | perplexity |\n", "md"),
        ("notes.txt", "run,perplexity", "csv"),
        ("pasted text", ' [{"run": "a"}]', "json"),
    ],
)
def test_what_a_text_is_shows_by_its_name_or_its_beginning(name: str, text: str, media: str) -> None:
    assert media_of(name, text) == media


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_what_spreadsheets_write_between_cells(mark: str) -> None:
    table = read(f"run{mark}perplexity{mark}notes\na{mark}18.7{mark}fine", "csv")
    assert (table.runs[0].metrics, table.runs[0].notes) == ({"perplexity": 18.7}, "fine")


def test_a_column_may_be_said_to_be_something_else_or_left_out() -> None:
    text = "who,score,rank,perplexity\na,0.4,8,18.7"
    run = read(text, "csv", {"who": "name", "score": "bleu", "perplexity": None}).runs[0]
    assert (run.name, run.metrics, run.settings) == ("a", {"bleu": 0.4}, {"lora.r": 8})


@pytest.mark.parametrize("columns", [{"nobody": "bleu"}, {"score": "no.such"}])
def test_a_column_that_is_not_there_or_cannot_be_that_is_refused(columns: dict[str, str | None]) -> None:
    with pytest.raises(Invalid) as caught:
        read("score,perplexity\n1,2", "csv", columns)
    assert [error.field for error in caught.value.errors] == ["columns"]


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(Invalid, match="same name"):
        read("run,score,score,perplexity\na,1,2,3", "csv")
