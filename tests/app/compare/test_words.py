"""Words as a reader counts them, and how much of a text is said more than once."""

import pytest

from app.compare.words import count, repetition, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("  \n ", 0),
        ("...!", 0),
        ("Well-known: 130/80 mm Hg, isn't it?", 6),
        ("Größe ändert 3.5 kg", 4),
        ("熱が出る", 4),
    ],
)
def test_punctuation_is_no_word(text: str, expected: int) -> None:
    assert count(words(text)) == expected


def test_a_loop_repeats_and_prose_does_not() -> None:
    loop = words("It is important to see a doctor. " * 9)
    prose = words("Tiredness, weakness and shortness of breath are common. Pale skin may show as well, often at night.")
    assert repetition(loop) > 0.8
    assert repetition(prose) == 0
    assert repetition(words("Yes! " * 6)) > 0.5


def test_a_short_text_does_not_repeat() -> None:
    assert repetition(words("no no no")) == 0
