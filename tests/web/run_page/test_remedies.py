from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app import run_config
from app.web import forms
from app.web.run_page.remedies import remedies

NEEDED = {"model.base_model": "a/b", "data.dataset": 1}


def config(**changes: Any) -> dict[str, Any]:
    return run_config.parse(run_config.nest({**NEEDED, **changes})).model_dump(mode="json")


@pytest.mark.parametrize("batch", [2, 3, 5, 8])
def test_less_memory_never_means_a_smaller_effective_batch(batch: int) -> None:
    before = config(**{"training.per_device_train_batch_size": batch})
    [halved] = [r for r in remedies("out_of_memory", before) if r.text.startswith("Batch")]
    after = run_config.parse(run_config.nest(run_config.flatten(before) | dict(halved.changes)))
    assert after.training.per_device_train_batch_size == batch // 2
    assert after.training.effective_batch_size >= batch * 4


def test_what_is_at_its_least_already_is_not_offered() -> None:
    least = {
        "training.per_device_train_batch_size": 1,
        "training.gradient_checkpointing": True,
        "data.max_length": 128,
    }
    assert remedies("out_of_memory", config(**least)) == []


@pytest.mark.parametrize("code", ["out_of_memory", "nan_loss"])
def test_every_remedy_is_a_configuration_that_can_be_launched(code: str) -> None:
    failed = config(**{"quantization.method": "none"})
    for remedy in remedies(code, failed):
        query = {name: texts[0] for name, texts in parse_qs(urlsplit(remedy.link(7)).query).items()}
        assert query.pop("clone") == "7"
        typed = forms.texts(failed) | query
        changed = run_config.parse(forms.read(typed), strict=False).model_dump(mode="json")
        assert changed == run_config.nest(run_config.flatten(failed) | dict(remedy.changes))


def test_a_failure_that_settings_cannot_mend_has_none() -> None:
    assert remedies("disk_full", config()) == []
