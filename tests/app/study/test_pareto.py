from app.study.pareto import front


def test_what_is_beaten_in_nothing_is_on_the_front() -> None:
    assert front([(1, 3), (2, 2), (3, 1), (3, 3), (2, 3)]) == [True, True, True, False, False]


def test_equal_points_share_it() -> None:
    assert front([(1, 1), (1, 1), (1, 2)]) == [True, True, False]


def test_one_point_is_the_front_and_none_have_none() -> None:
    assert front([(5, 5)]) == [True]
    assert front([]) == []
