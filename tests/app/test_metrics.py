from app.metrics import BY_NAME, BY_SHORT, CATALOGUE, COMPARED, is_better, relative_change


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(BY_SHORT) == len(CATALOGUE)


def test_direction_decides_what_is_better() -> None:
    perplexity, bleu = COMPARED[0], COMPARED[1]
    assert is_better(perplexity, 17.8, 18.7)
    assert not is_better(perplexity, 18.7, 17.8)
    assert is_better(bleu, 0.44, 0.42)
    assert not is_better(bleu, 0.42, 0.42)
    assert not is_better(BY_NAME["system/memory"], 1, 2)


def test_relative_change_is_that_of_the_reference_study() -> None:
    change = relative_change(45.2, 17.8)
    assert change is not None
    assert round(change, 3) == -0.606
    assert relative_change(0.0, 0.1) is None
    assert relative_change(None, 0.1) is None
