"""Importing a training's libraries: no compiler before somebody calls what it is for, and all else as it was."""

import gc
import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from worker import imports
from worker.child import training_environment

LOADED = """
import gc, json, sys
from worker import __main__ as program
program.prepare_environment()
program.load_libraries()
import torch
print(json.dumps({"modules": sorted(sys.modules), "searched": gc.isenabled(), "compile": torch.compile.__module__}))
"""


def test_a_training_loads_no_compiler_and_leaves_python_and_torch_as_they_were() -> None:
    answer = subprocess.check_output([sys.executable, "-c", LOADED], env=training_environment(), text=True)
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    assert {"bitsandbytes", "peft", "evaluate"} <= set(found["modules"])
    assert not {"torch._inductor.compile_fx", "torch._inductor.lowering"} & set(found["modules"])
    assert found["searched"]
    assert found["compile"] == "torch"


MULTIPLIED = """
from worker import __main__ as program
program.prepare_environment()
import psutil, torch
weight = torch.ones(512, 192)
def multiply(lines): torch.ops.mkldnn._linear_pointwise(torch.ones(lines, 192), weight, None, "none", [], "")
multiply(1000)
before = psutil.Process().memory_info().rss
for lines in range(1000, 400, -1):
    multiply(lines)
print((psutil.Process().memory_info().rss - before) >> 20)
"""


def test_batches_of_ever_other_shapes_take_no_more_and_more_memory() -> None:
    environment = training_environment() | {"OMP_NUM_THREADS": "1"}
    answer = subprocess.check_output([sys.executable, "-c", MULTIPLIED], env=environment, text=True)
    assert int(answer) < 120, "megabytes; with as much kept as the libraries would by themselves it is 340"


def test_what_was_to_be_compiled_is_once_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def compile_now(function: Any, **options: Any) -> Any:
        asked.append(options)
        return lambda number: ("compiled", function(number))

    monkeypatch.setattr(torch, "compile", compile_now)
    with imports.quickly():

        @torch.compile
        def plain(number: int) -> int:
            return number + 1

        @torch.compile(dynamic=False)
        def dynamic(number: int) -> int:
            return number + 2

    assert (asked, plain.__name__) == ([], "plain")
    assert [plain(1), plain(2)] == [("compiled", 2), ("compiled", 3)]
    assert dynamic(1) == ("compiled", 3)
    assert asked == [{}, {"dynamic": False}], "each once, as it was asked for"
    assert torch.compile is compile_now


def test_a_whole_module_is_compiled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model, **_: ("compiled", model))
    layer = torch.nn.Linear(1, 1)
    with imports.quickly():
        made = torch.compile(layer)
    assert made == ("compiled", layer)


def test_an_import_that_fails_leaves_nothing_behind() -> None:
    before = torch.compile
    with pytest.raises(ImportError), imports.quickly():
        raise ImportError("no such library")
    assert gc.isenabled()
    assert torch.compile is before
