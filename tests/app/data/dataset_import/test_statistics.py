import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.data.dataset_import import near_duplicates, statistics
from app.data.dataset_import.store import Tally, breaks_off
from app.data.row_keys import read
from app.data.split import key, split

LONG = "This answer is longer than forty characters, so it can tell of a leak"


def jsonl(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def pair(prompt: str, response: str, **more: Any) -> dict[str, Any]:
    return {"instruction": prompt, "response": response, **more}


def test_the_split_is_that_of_the_default_run(importer: Any) -> None:
    rows = [pair(f"Ask {n}", f"Tell {n}") for n in range(400)]
    imported = importer(jsonl(*rows))
    sides = split([key(f"Ask {n}") for n in range(400)], seed=42, eval_fraction=0.1)
    report = imported.report
    assert (report["rows"], report["train_rows"], report["eval_rows"]) == (400, len(sides.train), len(sides.held_out))


def test_the_stored_keys_are_those_of_the_rows(importer: Any, tmp_path: Path) -> None:
    rows = [pair("Ask", LONG), pair("Ask", "Short"), pair("Other", LONG.upper(), group="g")]
    imported = importer(jsonl(*rows))
    keys = read(tmp_path / "out")
    assert list(keys.rows()) == [row.key for row in imported.rows]
    assert [keys.response(n) for n in range(3)] == [key(LONG), bytes(16), key(LONG)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["duplicates.json", "keys.bin", "rows.jsonl"]


def test_lengths_are_exact_quantiles_and_a_whole_histogram() -> None:
    counts = Counter(dict.fromkeys(range(1, 101), 1))
    found = statistics.lengths(counts)
    assert {k: found[k] for k in ("min", "median", "p95", "max", "mean")} == {
        "min": 1, "median": 50, "p95": 95, "max": 100, "mean": 50.5
    }  # fmt: skip
    assert sum(part["rows"] for part in found["histogram"]) == 100
    assert len(found["histogram"]) == statistics.BINS
    assert all(a["to"] + 1 == b["from"] for a, b in zip(found["histogram"], found["histogram"][1:], strict=False))


def test_one_very_long_row_does_not_flatten_the_histogram() -> None:
    found = statistics.lengths(Counter(dict.fromkeys(range(1, 101), 10) | {9_000_000: 1}))
    assert found["histogram"][-1]["to"] == 9_000_000
    assert max(part["rows"] for part in found["histogram"]) <= 60


def test_duplicates_are_counted_whatever_their_case_and_punctuation(importer: Any) -> None:
    imported = importer(jsonl(pair("Ask", "a"), pair("ask!", "A."), pair("ASK", "b"), pair("Other", "a")))
    assert imported.statistics["duplicate_prompts"] == 2
    assert imported.statistics["duplicate_pairs"] == 1


def test_counting_in_parts_gives_the_same(importer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    content = jsonl(*[pair(f"Ask {n % 300}", f"Tell {n % 450}") for n in range(900)])
    whole = importer(content).statistics
    monkeypatch.setattr(statistics, "ROWS_PER_PART", 100)
    assert importer(content).statistics == whole
    assert whole["duplicate_prompts"] == 600
    assert whole["duplicate_pairs"] == 0


def test_leaks_across_the_default_split_are_counted_and_warned_of(importer: Any) -> None:
    imported = importer(jsonl(*[pair(f"Ask {n}", LONG) for n in range(200)]))
    leakage = imported.statistics["leakage"]
    assert leakage["rows"] == imported.report["eval_rows"]
    assert any("a run is refused unless it allows leakage" in warning for warning in imported.report["warnings"])
    assert importer(jsonl(*[pair(f"Ask {n}", "Yes.") for n in range(200)])).statistics["leakage"]["rows"] == 0


def test_rows_of_a_group_stay_together_and_are_counted(importer: Any) -> None:
    rows = [pair(f"Ask {n}", f"{LONG} {n % 20}", group=f"g{n % 20}") for n in range(400)]
    imported = importer(jsonl(*rows, pair("Alone", "Tell")))
    assert imported.statistics["leakage"]["rows"] == 0
    assert imported.statistics["groups"] == 21
    assert imported.statistics["ungrouped_rows"] == 1
    assert any("Without a group: 1 row" in warning for warning in imported.report["warnings"])


def test_few_and_no_held_out_rows_are_warned_of(importer: Any) -> None:
    one = importer(jsonl(pair("Ask", "Tell"))).report
    assert (one["rows"], one["train_rows"] + one["eval_rows"]) == (1, 1)
    assert any("leaves a side without rows" in warning for warning in one["warnings"])
    some = importer(jsonl(*[pair(f"Ask {n}", f"Tell {n}") for n in range(100)])).report
    assert any("Held out by default: only" in warning for warning in some["warnings"])


def test_conversations_are_counted_with_their_turns(importer: Any) -> None:
    talk = [{"role": role, "content": "text"} for role in ("user", "assistant") * 2]
    found = importer(jsonl({"messages": talk}, {"messages": talk[:2]}, pair("Ask", "Tell", input="This"))).statistics
    assert (found["conversations"], found["with_input"]) == (2, 1)
    assert (found["turns"]["min"], found["turns"]["max"]) == (2, 4)


def test_the_hash_of_the_rows_tells_mappings_of_one_file_apart(importer: Any) -> None:
    content = jsonl({"a": "Ask", "b": "Tell"})
    one, other = (importer(content, columns={"prompt": p, "response": r}) for p, r in ("ab", "ba"))
    assert one.report["sha256"] == other.report["sha256"]
    assert one.statistics["rows_sha256"] != other.statistics["rows_sha256"]


def _prompts(tmp_path: Path, prompts: list[str]) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("".join(prompt + "\n" for prompt in prompts))
    return path


def _by_brute_force(prompts: list[str], train: list[int], held_out: list[int]) -> int:
    def near(a: set[str], b: set[str]) -> bool:
        return bool(a & b) and len(a & b) / len(a | b) >= 0.8

    sets = [set(prompt.split()) for prompt in prompts]
    return sum(any(near(sets[h], sets[t]) for t in train) for h in held_out)


def test_near_duplicates_are_all_found_and_no_others(tmp_path: Path) -> None:
    rng = random.Random(5)
    words = [f"w{n}" for n in range(25)]
    prompts = ["", "same"] + [" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(1500)]
    numbers = list(range(len(prompts)))
    rng.shuffle(numbers)
    train, held_out = numbers[100:], numbers[:100]
    found = near_duplicates.find(_prompts(tmp_path, prompts), train, held_out)
    assert 10 < found.rows < 90  # neither none nor all
    assert found.rows == _by_brute_force(prompts, train, held_out)
    assert (found.checked, found.complete) == (100, True)
    assert found.example is not None
    assert _by_brute_force(prompts, [found.example[1]], [found.example[0]]) == 1


def test_exactly_eight_of_ten_shared_words_are_near(tmp_path: Path) -> None:
    ten, nine = "a b c d e f g h i j", "a b c d e f g h i"
    assert near_duplicates.find(_prompts(tmp_path, [ten, "a b c d e f g h"]), [0], [1]).rows == 1
    assert near_duplicates.find(_prompts(tmp_path, [ten, "a b c d e f g"]), [0], [1]).rows == 0
    assert near_duplicates.find(_prompts(tmp_path, [nine + " x", nine + " y"]), [0], [1]).rows == 1
    assert near_duplicates.find(_prompts(tmp_path, ["", ""]), [0], [1]).rows == 0


def test_only_the_first_held_out_rows_are_kept_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [f"a{n} b{n} c{n}" for n in range(20)]
    monkeypatch.setattr(near_duplicates, "MAX_WORDS", 9)
    found = near_duplicates.find(_prompts(tmp_path, prompts * 2), list(range(20)), [35, 21, 30, 20, 39])
    assert (found.checked, found.complete, found.rows) == (3, False, 3)


def test_a_count_that_took_too_long_is_a_lower_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MAX_PAIRS", 50)
    prompts = [f"a b c d e{n}" for n in range(200)]  # four of six words shared: each pair is looked at, none is near
    found = near_duplicates.find(_prompts(tmp_path, prompts), list(range(20, 200)), list(range(20)))
    assert (found.rows, found.complete) == (0, False)


def test_training_rows_that_nearly_repeat_an_earlier_one_are_counted_once_each(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    ten = "one two three four five six seven eight nine ten"
    lines = [ten, "held out words that nobody else has", ten, f"{ten} eleven", "something else entirely", ten]
    file.write_text("".join(f"{line}\n" for line in lines))
    found = near_duplicates.find_inside(file, [0, 2, 3, 4, 5])
    assert (found.rows, found.checked, found.complete) == (3, 5, True)


def test_looking_inside_the_training_rows_stops_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MAX_PAIRS_INSIDE", 3)
    file = tmp_path / "prompts.txt"
    file.write_text("".join(f"what is known of illness number {n} in adults\n" for n in range(20)))
    assert not near_duplicates.find_inside(file, range(20)).complete


@pytest.mark.parametrize(
    ("response", "cut"),
    [
        ("Rest, fluids and something against the fever, as the doctor", True),
        ("Rest, fluids and something against the fever, as said by,", True),
        ("Rest, fluids and something against the fever, as usual.", False),
        ("Rest, fluids and something against the fever (as usual)", False),
        ("Rest, fluids and something against the fever, in all 3", False),
        ("aspirin", False),
    ],
)
def test_a_response_that_breaks_off_goes_on_in_its_last_mark(response: str, cut: bool) -> None:
    assert breaks_off(response) is cut


def test_responses_that_break_off_are_counted_unless_all_are_written_so() -> None:
    assert statistics.unfinished(Tally(rows=10, unfinished=2)) == 2
    assert statistics.unfinished(Tally(rows=10, unfinished=3)) is None
