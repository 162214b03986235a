"""How a run was computed: each way has a name for people and a setting that there is."""

from app.computing import WAYS, ways
from app.run_config import LABELS


def test_ways_are_named_in_one_order_with_the_setting_that_chooses_each() -> None:
    found = ways({"paths": {"logits": "scored tokens only", "packing": "rows in one line"}, "device": "CPU"})
    assert [(way.label, way.how, way.setting) for way in found] == [
        ("Rows of a batch", "rows in one line", "training.packing"),
        ("Logits", "scored tokens only", "training.logits"),
    ]


def test_a_run_from_before_they_were_recorded_has_none() -> None:
    assert ways({"device": "CPU"}) == []


def test_every_switch_is_a_setting() -> None:
    assert {setting for _, setting in WAYS.values() if setting} <= set(LABELS)
