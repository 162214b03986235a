import json
from typing import Any

import pytest

from app.data.dataset_import.shapes import NoShape, Plan, plan, to_row
from app.data.rows import Message, Row

TURNS = [{"role": "user", "content": "Ask"}, {"role": "assistant", "content": "Tell"}]
SHARED = [{"from": "human", "value": "Ask"}, {"from": "gpt", "value": "Tell"}]
TALK = (Message("user", "Ask"), Message("assistant", "Tell"))


def row(values: dict[str, Any], **mapping: str) -> Row:
    return to_row(values, plan(tuple(values), tuple(mapping.items())))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"instruction": "Ask", "response": "Tell"}, Row("Ask", "", "Tell")),
        ({"instruction": "Ask", "input": "This", "output": "Tell"}, Row("Ask", "This", "Tell")),
        ({"instruction": "Ask", "input": None, "output": "Tell"}, Row("Ask", "", "Tell")),
        ({"prompt": "Ask", "completion": "Tell"}, Row("Ask", "", "Tell")),
        ({"question": "Ask", "answer": "Tell"}, Row("Ask", "", "Tell")),
        ({" Question ": "Ask", "ANSWER": "Tell"}, Row("Ask", "", "Tell")),
        ({"instruction": "Ask", "response": "Tell", "group": "g", "id": 7}, Row("Ask", "", "Tell", group="g")),
        ({"instruction": "Ask", "response": "Tell", "group": " "}, Row("Ask", "", "Tell")),
        ({"instruction": "Ask", "response": "Tell", "group": 12}, Row("Ask", "", "Tell", group="12")),
        ({"question": "6 x 7", "answer": 42}, Row("6 x 7", "", "42")),
        ({"question": "Half?", "answer": 0.5}, Row("Half?", "", "0.5")),
        ({"question": "Is it?", "answer": True}, Row("Is it?", "", "true")),
        ({"instruction": "a\r\nb", "response": " keep \n"}, Row("a\nb", "", " keep \n")),
        ({"messages": TURNS}, Row(messages=TALK)),
        ({"conversations": SHARED}, Row(messages=TALK)),
        ({"messages": TURNS, "prompt": "Ask", "response": "Other"}, Row(messages=TALK)),
        ({"messages": json.dumps(TURNS)}, Row(messages=TALK)),
    ],
)  # fmt: skip
def test_every_usual_shape_becomes_the_same_row(values: dict[str, Any], expected: Row) -> None:
    assert row(values) == expected


def test_unusual_columns_are_mapped_even_onto_usual_names() -> None:
    values = {"act": "Ask", "prompt": "Tell", "topic": "g"}
    assert row(values, prompt="act", response="prompt", group="topic") == Row("Ask", "", "Tell", group="g")


def test_stated_columns_win_over_found_ones() -> None:
    values = {"messages": [], "instruction": "Ask", "response": "Tell", "better": "Tell well"}
    assert row(values, prompt="instruction", response="better") == Row("Ask", "", "Tell well")


def test_what_has_no_prompt_or_response_names_what_was_looked_for() -> None:
    with pytest.raises(NoShape, match=r"no column for the response \(looked for response, output, completion, answer"):
        plan(("instruction", "text"))
    with pytest.raises(NoShape, match=r'no column for the prompt .* it has "a", "b"'):
        plan(("a", "b"))
    with pytest.raises(NoShape, match='has no column "act"; it has "prompt"'):
        plan(("prompt", "answer"), (("prompt", "act"),))
    with pytest.raises(NoShape, match="and 40 more"):
        plan(tuple(f"c{n}" for n in range(50)))


def test_an_optional_column_may_be_missing_from_a_row() -> None:
    assert plan(("prompt", "answer"), (("group", "topic"),)) == Plan(prompt="prompt", response="answer")


def test_a_mapped_column_that_no_row_has_is_an_error(refuser: Any) -> None:
    content = b'{"prompt": "a", "answer": "b"}\n'
    assert refuser(content, columns={"group": "topic"}) == ['No row has a column "topic" (stated for group)']


def test_wrong_columns_are_one_error_of_columns_and_not_twenty(refuser: Any) -> None:
    assert len(refuser(b'{"text": "a"}\n' * 30)) == 1


U, A, S = "user", "assistant", "system"


def turns(*roles_and_texts: tuple[Any, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in roles_and_texts]}


def test_a_system_turn_may_come_first_and_an_empty_one_is_dropped() -> None:
    assert [m.role for m in row(turns((S, "Be kind"), (U, "a"), (A, "b"), (U, "c"), (A, "d"))).messages] == [
        S,
        U,
        A,
        U,
        A,
    ]
    assert [m.role for m in row(turns((S, ""), (U, "a"), (A, "b"))).messages] == [U, A]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (turns(), "no list of turns"),
        ({"messages": "not json"}, "is not valid JSON"),
        ({"messages": {"role": U}}, "no list of turns"),
        ({"messages": ["hello"]}, "turn 1 that is not an object"),
        (turns((U, "a")), "ends with the user's turn"),
        (turns((U, "a"), (A, "b"), (U, "c")), "ends with the user's turn"),
        (turns((A, "b")), "does not begin with the user's turn"),
        (turns((S, "s")), "does not begin with the user's turn"),
        (turns((S, "")), "does not begin with the user's turn"),
        (turns((U, "a"), (U, "b"), (A, "c")), "two turns of the same speaker"),
        (turns((U, "a"), (S, "s"), (A, "b")), "a system turn that is not the first"),
        (turns((U, "a"), (A, " ")), "no text in turn 2"),
        (turns((U, "a"), (A, None)), "no text in turn 2"),
        (turns((U, "a"), ("tool", "b")), "the role 'tool' in turn 2"),
        (turns((U, "a"), (["x"], "b")), "in turn 2"),
        (turns((U, "a\0"), (A, "b")), "NUL"),
    ],
)  # fmt: skip
def test_a_conversation_that_teaches_nothing_is_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        row(values)
