"""A copy on a hub, made by the process that alone has the hub's token, against a hub on this machine."""

import importlib.util
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.errand_child import ErrandChild
from worker.errand_jobs import HUB

REPOSITORY = "owner/name"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("upload_hub", Path(__file__).with_name("fake_upload_hub.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "upload_hub", module)
    spec.loader.exec_module(module)
    with module.UploadHub() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")  # a protocol of its own, which this hub does not speak
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        yield made


@pytest.fixture
def child(hub: Any, tmp_path: Path) -> Iterator[ErrandChild]:
    opened = ErrandChild(tmp_path / "errands" / "hub.log", alone=False, hub_token=True)
    yield opened
    opened.close()


def push(child: ErrandChild, tmp_path: Path, what: str) -> dict[str, Any]:
    with zipfile.ZipFile(tmp_path / "adapter.zip", "w") as archive:
        archive.writestr("adapter_model.safetensors", b"tensors")
        archive.writestr("README.md", "---\ntags: [lora]\n---\n# Card\n")
    merged = tmp_path / "merged"
    merged.mkdir(exist_ok=True)
    for name in ("model.safetensors", "config.json", "manifest.json", "rescored.json"):
        (merged / name).write_text(name)
    paths = {"adapter": str(tmp_path / "adapter.zip"), "folder": str(merged)}
    child.ask({"kind": "push", "request": {"what": what, "repository": REPOSITORY, "private": True} | paths})
    while True:
        for message in child.said(1.0):
            if "partial" not in message:
                return message
        assert child.exit_code is None


def test_the_adapter_goes_to_a_private_repository_with_its_card_and_large_files_apart(
    hub: Any, child: ErrandChild, tmp_path: Path
) -> None:
    assert push(child, tmp_path, "adapter")["answer"]["url"] == f"{hub.url}/{REPOSITORY}"
    assert hub.seen_by == {REPOSITORY: "private"}
    assert set(hub.files) >= {"README.md", "adapter_model.safetensors"}
    assert hub.files["adapter_model.safetensors"] == b"tensors"
    assert hub.tokens == {"Bearer hf_secret"}
    assert push(child, tmp_path, "merged")["answer"]
    assert {"model.safetensors", "config.json"} <= set(hub.files)
    assert not {"manifest.json", "rescored.json"} & set(hub.files)


def test_a_hub_that_refuses_is_told_in_words(hub: Any, child: ErrandChild, tmp_path: Path) -> None:
    hub.refuses = 403
    error = push(child, tmp_path, "adapter")["error"]
    assert (error["code"], error["detail"]) == ("push_failed", "The token may not write there.")


def test_without_a_token_the_worker_says_so(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    opened = ErrandChild(tmp_path / "errands" / "hub.log", alone=False, hub_token=True)
    try:
        assert push(opened, tmp_path, "adapter")["error"]["code"] == "no_hub_token"
    finally:
        opened.close()
    assert hub.tokens == set()


def test_no_other_kind_has_the_token_and_this_one_waits_for_no_device() -> None:
    assert frozenset({"push"}) == HUB
