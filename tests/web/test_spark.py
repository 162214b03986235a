"""The small loss curve."""

from app.web.spark import HEIGHT, WIDTH, spark


def test_one_point_is_no_curve() -> None:
    assert spark([(1, 3.0)], 100) is None


def test_it_leaves_room_for_the_steps_to_come() -> None:
    curve = spark([(step, 4.0 - step / 100) for step in range(101)], 200)
    assert curve is not None
    assert abs(curve.end_x - WIDTH / 2) < 4
    assert curve.first == 4.0


def test_it_stays_in_its_box_whatever_the_values() -> None:
    for values in ([2.0, 2.0, 2.0], [1e9, -1e9, 5.0]):
        curve = spark(list(enumerate(values)), None)
        assert curve is not None
        numbers = [float(part) for part in curve.raw.replace("M", " ").replace("L", " ").split()]
        assert all(0 <= x <= WIDTH for x in numbers[::2])
        assert all(0 <= y <= HEIGHT for y in numbers[1::2])


def test_a_long_series_is_thinned() -> None:
    curve = spark([(step, 1.0 + step % 7) for step in range(10_000)], 10_000)
    assert curve is not None
    assert curve.raw.count("L") < 250
