"""What becomes of a row: BOS + prompt + answer + EOS, and what gives way when it is too long."""

from pathlib import Path
from typing import Any

import pytest

from app.data.rows import Message, Row
from worker.finetune.errors import FinetuneError
from worker.finetune.reporter import Silent
from worker.finetune.tokenizer import load_tokenizer
from worker.finetune.tokens import Encoded, encode, last_answer_only
from worker.finetune.turns import make_template

BOS, EOS = 0, 1


@pytest.fixture(scope="module")
def fast(llama: Path) -> Any:
    return load_tokenizer(llama)


@pytest.fixture(scope="module")
def chatty(chat_llama: Path) -> Any:
    return load_tokenizer(chat_llama)


def encoded(row: Row, tokenizer: Any, template: str = "auto") -> Encoded:
    made = make_template(template, tokenizer, (EOS,))
    return next(encode([(0, row)], made, tokenizer, Silent()))


def text(ids: Any, tokenizer: Any) -> str:
    return str(tokenizer.decode(list(ids)))


LONG = Row(instruction=" ".join(f"word{i}" for i in range(60)), response="A short answer.")


def test_a_row_is_bos_prompt_answer_eos_and_only_the_answer_counts(fast: Any) -> None:
    example = encoded(Row(instruction="What is item 7?", response="Item 7 is the one."), fast).fit(256)
    assert text(example.prompt_ids, fast) == "<s>### Instruction:\nWhat is item 7?\n\n### Response:\n"
    assert text(example.answer_ids, fast) == "Item 7 is the one.</s>"
    assert list(example.counted) == [0] * example.answer_at + [1] * len(example.answer_ids)
    assert not example.shortened
    assert not example.cut


def test_input_follows_the_instruction(fast: Any) -> None:
    example = encoded(Row(instruction="Sum up.", input="A text.", response="Short."), fast).fit(256)
    assert "### Instruction:\nSum up.\n\n### Input:\nA text.\n\n### Response:\n" in text(example.prompt_ids, fast)


def test_a_long_prompt_loses_the_beginning_of_the_users_text_and_nothing_else(fast: Any) -> None:
    whole = encoded(LONG, fast)
    example = whole.fit(100)
    prompt = text(example.prompt_ids, fast)
    assert len(example) == 100
    assert prompt.startswith("<s>### Instruction:\n")
    assert prompt.endswith("word59\n\n### Response:\n")
    assert "word0 " not in prompt
    assert text(example.answer_ids, fast) == "A short answer.</s>"
    assert (example.shortened, example.cut) == (True, False)


def test_a_prompt_keeps_half_and_then_the_answer_loses_its_end_with_eos(fast: Any) -> None:
    both = Row(instruction=LONG.instruction, response=LONG.instruction)
    example = encoded(both, fast).fit(100)
    assert len(example.prompt_ids) == 50
    assert len(example) == 100
    assert example.ids[-1] != EOS
    assert text(example.answer_ids, fast).startswith("word0 word1")
    assert (example.shortened, example.cut) == (True, True)


def test_a_prompt_below_half_is_never_touched_for_a_long_answer(fast: Any) -> None:
    example = encoded(Row(instruction="Why?", response=LONG.instruction), fast).fit(80)
    assert "Why?" in text(example.prompt_ids, fast)
    assert (example.shortened, example.cut) == (False, True)


def test_instruction_goes_before_input_when_both_are_too_long(fast: Any) -> None:
    row = Row(instruction=LONG.instruction, input="The end stays.", response="Yes.")
    prompt = text(encoded(row, fast).fit(90).prompt_ids, fast)
    assert "### Input:\nThe end stays." in prompt


def test_marks_that_leave_no_room_for_an_answer_are_an_error(fast: Any) -> None:
    with pytest.raises(FinetuneError, match="template's own marks") as caught:
        encoded(LONG, fast).fit(16)
    assert caught.value.code == "context_too_short"


def test_the_question_asked_of_a_model_does_not_depend_on_the_reference(fast: Any) -> None:
    short = encoded(LONG, fast)
    long = encoded(Row(instruction=LONG.instruction, response=LONG.instruction), fast)
    assert short.question(70) == long.question(70)
    assert len(short.question(70)) == 70


CONVERSATION = Row(
    messages=(
        Message("system", "Be brief."),
        Message("user", "What is item 1?"),
        Message("assistant", "The first."),
        Message("user", "And item 2?"),
        Message("assistant", "The second."),
    )
)


@pytest.mark.parametrize("template", ["chat", "plain"])
def test_a_conversation_trains_every_answer_and_is_scored_on_the_last(chatty: Any, template: str) -> None:
    example = encoded(CONVERSATION, chatty, template).fit(256)
    counted = text([i for i, c in zip(example.ids, example.counted, strict=True) if c], chatty)
    assert counted == "The first.</s>The second.</s>"
    assert text(example.answer_ids, chatty) == "The second.</s>"
    last = last_answer_only(example)
    assert sum(last.counted) == len(example.answer_ids)


def test_a_chat_reads_exactly_as_its_template_writes_it(chatty: Any) -> None:
    example = encoded(CONVERSATION, chatty).fit(256)
    messages = [{"role": m.role, "content": m.content} for m in CONVERSATION.messages]
    written = chatty.apply_chat_template(messages, tokenize=False)
    assert text(example.ids, chatty) == written.rstrip("\n")
    assert list(example.ids).count(BOS) == 1


def test_a_long_conversation_loses_its_beginning(chatty: Any) -> None:
    first = Message("user", LONG.instruction)
    row = Row(messages=(first, *CONVERSATION.messages[2:]))
    example = encoded(row, chatty).fit(90)
    kept = text(example.prompt_ids, chatty)
    assert kept.startswith("<s><|user|>\n")
    assert kept.endswith("And item 2?</s>\n<|assistant|>\n")
    assert len(example) == 90


def test_a_template_without_a_system_role_gets_it_as_part_of_the_question(chatty: Any) -> None:
    strict = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + (
        "[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    before, chatty.chat_template = chatty.chat_template, strict
    try:
        prompt = text(encoded(CONVERSATION, chatty).fit(256).prompt_ids, chatty)
    finally:
        chatty.chat_template = before
    assert prompt.startswith("<s>[user]Be brief.\n\nWhat is item 1?</s>[assistant]The first.</s>")


def test_a_template_of_the_run_is_used_as_it_is(fast: Any) -> None:
    row = Row(instruction="Why?", input="Because.", response="Yes.")
    example = encoded(row, fast, "{{ input }} Q: {{ instruction }} A: ").fit(256)
    assert text(example.ids, fast) == "<s>Because. Q: Why? A: Yes.</s>"
