import pytest

from app.data import prompts


def test_plain_leaves_out_the_input_block_where_there_is_none() -> None:
    assert prompts.render(prompts.PLAIN, "Say A") == "### Instruction:\nSay A\n\n### Response:\n"
    assert prompts.render(prompts.PLAIN, "Say", "A") == "### Instruction:\nSay\n\n### Input:\nA\n\n### Response:\n"


@pytest.mark.parametrize(
    "template",
    [
        *sorted(prompts.NAMES),
        prompts.PLAIN,
        "Q: {{ instruction|trim }}\nA: ",
        "{{ instruction }}{% if input|length > 3 %} ({{ input|upper }}){% else %}{{ ' ' ~ input }}{% endif %}",
    ],
)
def test_usable_templates_pass(template: str) -> None:
    assert prompts.check(template) is None


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{ instruction", "Line 1"),
        ("{{ instruction }}\n{% if %}", "Line 2"),
        ("{{ instruction|nope }}", "Line 1"),
        ("{{ question }}", "uses question"),
        ("{% if input < 3 %}x{% endif %}{{ instruction }}", "cannot be rendered"),
        ("{{ " + "not " * 4000 + "instruction }}", "cannot be rendered"),
        ("{{ instruction }}{{ " + "9" * 5000 + " }}", "cannot be rendered"),
        ("Answer well.", "never uses {{ instruction }}"),
    ],
)
def test_a_mistake_is_named(template: str, sentence: str) -> None:
    assert sentence in str(prompts.check(template))


@pytest.mark.parametrize(
    "template",
    [
        "{{ instruction }}{{ 'a' * 10000000000 }}",
        "{{ instruction }}{{ 9**9**9**9 }}",
        "{% for a in instruction %}{% for b in instruction %}x{% endfor %}{% endfor %}",
        "{% set x = instruction ~ instruction %}{{ x }}",
        "{{ instruction.ljust(10000000000) }}",
        "{{ instruction.__class__.__mro__ }}",
        "{{ instruction|replace('i', 'ii') }}",
        "{{ instruction|format('%9999999999d') }}",
        "{% include '/etc/passwd' %}{{ instruction }}",
        "{% macro m() %}{% endmacro %}{{ instruction }}",
        "{{ instruction|attr('__class__') }}",
        "{{ instruction['__class__'] }}",
        "{{ cycler.__init__ }}{{ instruction }}",
    ],
)
@pytest.mark.timeout(10)
def test_what_could_loop_grow_or_reach_out_is_refused(template: str) -> None:
    assert prompts.check(template) is not None
