import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from app.errors import Invalid
from app.launch import base_models, model_files
from app.models import Dataset, Experiment, Run
from app.run_config import RunConfig
from app.settings import Settings

LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 512}


def write_model(folder: Path, config: dict[str, Any] = LLAMA, *, without: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"model.layers.0.up_proj.weight": {"dtype": "F32", "shape": [8, 4], "data_offsets": [0, 128]}})
    weights = struct.pack("<Q", len(header)) + header.encode() + bytes(128)
    files = {"config.json": json.dumps(config).encode(), "model.safetensors": weights, "tokenizer.json": b"{}"}
    for name, content in files.items():
        if name != without:
            (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def allowing(settings: Settings, models: Path) -> Settings:
    return settings.model_copy(update={"model_dirs": str(models)})


def config(base_model: str, **data: Any) -> RunConfig:
    return RunConfig.model_validate({"model": {"base_model": base_model}, "data": {"dataset": 1, **data}})


def refusal(settings: Settings, config: RunConfig) -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        base_models.check(settings, config)
    (error,) = caught.value.errors
    return error.field, error.message


def test_a_folder_is_found_by_its_path_and_relative_to_an_allowed_one(allowing: Settings, models: Path) -> None:
    folder = write_model(models / "team" / "tiny")
    for name in (str(folder), "team/tiny"):
        assert base_models.resolve(allowing, name) == base_models.Located(name, "folder", folder)
    assert base_models.check(allowing, config("team/tiny", max_length=512)).folder == folder


def test_the_sample_needs_no_allowed_folder(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(base_models, "SAMPLES", tmp_path)
    folder = write_model(tmp_path / "models" / "tiny")
    assert base_models.resolve(settings, "sample/tiny").folder == folder
    for name in ("sample/", "sample/other", "sample/../models/tiny/../../../etc"):
        with pytest.raises(Invalid, match="sample/tiny"):
            base_models.resolve(settings, name)


@pytest.mark.parametrize("name", ["TinyLlama/TinyLlama-1.1B-Chat-v1.0", "Qwen/Qwen2.5-0.5B", "a/b_c"])
def test_a_hub_id_that_is_not_here_yet_is_left_to_the_worker(settings: Settings, name: str) -> None:
    assert base_models.check(settings, config(name)) == base_models.Located(name, "hub", None)


@pytest.mark.parametrize(
    "name", ["gpt2", "a/b/c", "../up", "a/../b", "./here", "~/mine", "a b/c", "/etc", "x\0/y", "a/" + "b" * 300, "ä/b"]
)
def test_what_is_neither_allowed_folder_nor_hub_id_is_refused(allowing: Settings, name: str) -> None:
    assert refusal(allowing, config(name))[0] == "model.base_model"


def test_no_way_leads_out_of_an_allowed_folder(
    allowing: Settings, models: Path, tmp_path: Path, database: Database
) -> None:
    secret = write_model(tmp_path / "secret")
    (models / "link").symlink_to(secret)
    for name in (str(secret), str(models / "link"), "link", "../secret", str(models / ".." / "secret")):
        assert refusal(allowing, config(name))[0] == "model.base_model"
    assert list(listed(database, allowing)) == [base_models.DEFAULT]


def listed(database: Database, settings: Settings) -> dict[str, base_models.Description]:
    with database.reading() as session:
        return {d.name: d for d in base_models.list_models(session, settings) if d.kind != "sample"}


@pytest.mark.parametrize(
    ("config_json", "without", "sentence"),
    [
        ({**LLAMA, "architectures": ["BertForMaskedLM"]}, "", "not a causal language model"),
        ({**LLAMA, "architectures": None}, "", "no architecture"),
        ({**LLAMA, "quantization_config": {"quant_method": "gptq"}}, "", "quantised already"),
        (LLAMA, "model.safetensors", "no weights"),
        (LLAMA, "tokenizer.json", "no tokenizer"),
        (LLAMA, "config.json", "no config.json"),
    ],
)
def test_a_model_that_cannot_be_trained_says_why(
    allowing: Settings, models: Path, config_json: dict[str, Any], without: str, sentence: str
) -> None:
    write_model(models / "m", config_json, without=without)
    field, message = refusal(allowing, config(str(models / "m")))
    assert field == "model.base_model"
    assert sentence in message


def test_pickled_weights_are_named_as_the_reason(allowing: Settings, models: Path) -> None:
    write_model(models / "m", without="model.safetensors")
    (models / "m" / "pytorch_model.bin").write_bytes(b"\x80")
    assert "pickle" in refusal(allowing, config(str(models / "m")))[1]


def test_an_adapter_and_a_broken_config_are_told_apart(allowing: Settings, models: Path) -> None:
    write_model(models / "adapter", without="config.json")
    (models / "adapter" / "adapter_config.json").write_text("{}")
    assert "is an adapter" in refusal(allowing, config(str(models / "adapter")))[1]
    for name, text in {"cut": '{"arch', "list": "[]", "binary": "\0"}.items():
        write_model(models / name)
        (models / name / "config.json").write_text(text)
        assert "config.json" in refusal(allowing, config(str(models / name)))[1]


def test_a_context_that_is_too_short_is_an_error_of_max_length(allowing: Settings, models: Path) -> None:
    write_model(models / "m")
    field, message = refusal(allowing, config(str(models / "m"), max_length=513))
    assert field == "data.max_length"
    assert "at most 512 tokens" in message


def test_a_revision_belongs_to_a_hub_model(allowing: Settings, models: Path) -> None:
    write_model(models / "m")
    asked = config(str(models / "m")).model_copy(
        update={"model": config("x/y").model.model_copy(update={"base_model": str(models / "m"), "revision": "v1"})}
    )
    assert refusal(allowing, asked)[0] == "model.revision"


def test_what_the_files_say_is_read_again_when_they_change(models: Path) -> None:
    folder = write_model(models / "m", {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_positions": 64})
    assert model_files.read(folder) == model_files.ModelFiles(64, 32, "GPT2LMHeadModel", None)
    write_model(folder)
    os.utime(folder / "config.json", ns=(1, 1))
    assert model_files.read(folder).context == 512


def test_a_downloaded_hub_model_is_described_and_checked(settings: Settings) -> None:
    cache = settings.downloads_dir / "models--org--name"
    write_model(cache / "snapshots" / "abc")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    assert base_models.resolve(settings, "org/name").folder == cache / "snapshots" / "abc"
    assert base_models.resolve(settings, "org/name", "abc").folder == cache / "snapshots" / "abc"
    assert base_models.resolve(settings, "org/name", "v2").folder is None
    assert base_models.resolve(settings, "org/name", "../../../../x").folder is None
    assert refusal(settings, config("org/name", max_length=1024))[0] == "data.max_length"


def test_the_list_has_local_folders_and_hub_ids_of_runs(allowing: Settings, models: Path, database: Database) -> None:
    write_model(models / "a" / "deep")
    write_model(models / "broken", without="model.safetensors")
    with database.writing() as session:
        session.add(Experiment(id=1, name="e"))
        session.add(Dataset(id=1, name="d", sha256="", format="jsonl", rows=1, train_rows=1, eval_rows=0, columns=[]))
        for name in ("org/used", "org/used", str(models / "a" / "deep"), "sample/x"):
            settings_of_run = config(name).model_dump(mode="json")
            session.add(Run(experiment_id=1, dataset_id=1, name="r", config=settings_of_run))
        session.commit()
    found = listed(database, allowing)
    assert list(found) == ["a/deep", "broken", "org/used", base_models.DEFAULT]
    assert found["a/deep"].files == model_files.ModelFiles(512, 32, "LlamaForCausalLM", None)
    assert "no weights" in str(found["broken"].files.problem)
    assert found["org/used"].kind == "hub"
