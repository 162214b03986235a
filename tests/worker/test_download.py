"""The download step as the process that it is, against a hub on this machine."""

import os
from pathlib import Path
from typing import Any

import pytest

from worker.child import Child, download_environment
from worker.protocol import Downloaded, Event, Exit, Failure

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def download(url: str, into: Path, model: str = "owner/name", revision: str | None = None) -> tuple[int, list[Event]]:
    command = ["-m", "worker.download", model, "--into", str(into), *(["--revision", revision] if revision else [])]
    command += ["--report-fd", "{fd}", "--parent-pid", str(os.getpid())]
    environment = download_environment() | {"HF_ENDPOINT": url, "HF_HUB_ETAG_TIMEOUT": "2"}
    child = Child.start(command, environment=environment, output=into.with_suffix(".log"))
    events: list[Event] = []
    try:
        while (code := child.exit_code) is None:
            events += child.events(0.1)
        return code, events + child.events(0)
    finally:
        child.close()


def failure(url: str, into: Path, **asked: Any) -> Failure:
    code, events = download(url, into, **asked)
    assert code == Exit.FAILED, into.with_suffix(".log").read_text()
    assert isinstance(events[-1], Failure)
    assert events[-1].hint.endswith(".")
    return events[-1]


def test_a_model_comes_with_its_commit_and_without_code_pickles_or_copies(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    code, [found] = download(hub.url, tmp_path / "models")
    assert code == Exit.DONE
    assert isinstance(found, Downloaded)
    assert found.commit == COMMIT
    assert sorted(os.listdir(found.path)) == ["config.json", "merges.txt", "model.safetensors", "tokenizer.json"]
    assert (Path(found.path) / "model.safetensors").read_bytes() == b"weights"
    assert hub.tokens == {"Bearer hf_secret"}


def test_what_is_there_is_not_fetched_again_and_serves_without_a_network(hub: Any, tmp_path: Path) -> None:
    _, [first] = download(hub.url, tmp_path / "models")
    hub.asked.clear()
    _, [second] = download(hub.url, tmp_path / "models")
    assert second == first
    assert hub.asked == ["/api/models/owner/name/revision/main"] or hub.asked == ["/api/models/owner/name"]
    code, [warning, third] = download("http://127.0.0.1:9", tmp_path / "models")
    assert (code, third) == (Exit.DONE, first)
    assert "cannot be reached" in warning.message  # type: ignore[union-attr]


def test_a_download_that_was_cut_off_is_no_copy(hub: Any, tmp_path: Path) -> None:
    download(hub.url, tmp_path / "models")
    (tmp_path / "models/models--owner--name/refs/main").unlink()  # written when all files are there
    assert failure("http://127.0.0.1:9", tmp_path / "models").code == "download_failed"


def test_a_revision_is_one_of_the_model(hub: Any, tmp_path: Path) -> None:
    code, [found] = download(hub.url, tmp_path / "models", revision="v1")
    assert (code, found.commit) == (Exit.DONE, COMMIT)  # type: ignore[union-attr]
    refused = failure(hub.url, tmp_path / "models", revision="v2")
    assert refused.code == "model_not_found"
    assert "v2" in refused.detail


def test_an_unknown_model_is_not_found(hub: Any, tmp_path: Path) -> None:
    refused = failure(hub.url, tmp_path / "models", model="owner/nothing")
    assert (refused.code, "owner/nothing" in refused.detail) == ("model_not_found", True)


def test_a_gated_model_says_how_to_get_it(hub: Any, tmp_path: Path) -> None:
    hub.gated.add("owner/name")
    refused = failure(hub.url, tmp_path / "models")
    assert refused.code == "model_gated"
    assert "HF_TOKEN" in refused.hint


def test_a_model_without_safetensors_is_refused_before_anything_is_fetched(hub: Any, tmp_path: Path) -> None:
    assert failure(hub.url, tmp_path / "models", model="owner/old").code == "not_safetensors"
    assert not any("resolve" in path for path in hub.asked)


def test_a_hub_out_of_reach_and_one_that_is_busy_are_told_apart(hub: Any, tmp_path: Path) -> None:
    assert "no connection" in failure("http://127.0.0.1:9", tmp_path / "models").detail
    hub.broken = True
    assert "503" in failure(hub.url, tmp_path / "models").detail


def test_a_model_larger_than_the_disk_is_refused_before_it_fills_it(hub: Any, tmp_path: Path) -> None:
    hub.sizes["model.safetensors"] = 10**16
    assert failure(hub.url, tmp_path / "models").code == "disk_full"
