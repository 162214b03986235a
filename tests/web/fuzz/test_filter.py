"""Whatever is typed into a filter, the answer is runs or a sentence that points at what is wrong; never a failure."""

import random
from collections import Counter

from fastapi.testclient import TestClient

from app.db import Database
from app.status import RunStatus
from tests.app.board.filter.random_filters import made
from tests.stored_runs import add_completed, add_run

INPUTS = 1000
SPECIAL = (
    "(",
    ")",
    ",",
    "=",
    "!=",
    "~",
    "'",
    '"',
    "\\",
    " and ",
    " or ",
    " not ",
    " in ",
    "null",
    "%",
    "_",
    "-",
    "−",
    ":best",
)
ODD = (
    "\0",
    "\n",
    "é",
    "日本",
    "🙂",
    "\u202e",
    "1e999",
    "9" * 30,
    "lora.",
    "x" * 300,
    "((((",
    "::",
    "eval/",
    "1..2",
    "ago",
)


def mutated(chance: random.Random, text: str) -> str:
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(text) + 1)
        kind = chance.random()
        if kind < 0.4:
            text = text[:place] + text[place + chance.randint(1, 5) :]
        elif kind < 0.8:
            text = text[:place] + chance.choice(SPECIAL + ODD) + text[place:]
        else:
            text = text[:place] + text[chance.randrange(len(text) + 1) :]
    return text


def garbage(chance: random.Random) -> str:
    parts = (*SPECIAL, *ODD, "lora.r", "tags", "8", " ", *(chr(chance.randrange(32, 0xD7FF)) for _ in range(5)))
    return "".join(chance.choice(parts) for _ in range(chance.randint(0, 40)))


def inputs(chance: random.Random) -> list[tuple[str, str]]:
    found = []
    for place in range(INPUTS):
        kind = ("valid", "mutated", "garbage")[place % 3]
        text = garbage(chance) if kind == "garbage" else made(chance)
        found.append((kind, mutated(chance, text) if kind == "mutated" else text))
    return found


def test_every_input_is_answered(client: TestClient, database: Database) -> None:
    add_completed(database, 12.0, tags=["keep"], notes="best")
    add_run(database, RunStatus.FAILED)
    answers: Counter[tuple[str, int]] = Counter()
    for kind, text in inputs(random.Random(5)):
        answer = client.get("/api/v1/runs", params={"filter": text, "limit": 1})
        answers[kind, answer.status_code] += 1
        assert answer.status_code in ((200,) if kind == "valid" else (200, 422)), text
        if answer.status_code == 422:
            (error,) = answer.json()["errors"]
            assert error["field"] == "filter", text
            assert " (character " in error["message"], text
    assert min(answers["mutated", 200], answers["mutated", 422], answers["garbage", 422]) > 50, answers


def test_the_leaderboard_understands_the_same(client: TestClient, database: Database) -> None:
    add_completed(database, 12.0, tags=["keep"])
    for group, (_, text) in zip(("", "configuration") * 20, inputs(random.Random(6)), strict=False):
        query = {"filter": text} | ({"group": group} if group else {})
        assert client.get("/api/v1/leaderboard", params=query).status_code in (200, 422), text
