"""Kernels from elsewhere: only where they are wanted, can be had and compute the same; else the reason is said."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from app.config_sections import TrainingConfig
from worker.finetune import compiling
from worker.finetune.adapter import attach
from worker.finetune.batches import Batch, pad
from worker.finetune.errors import FinetuneError
from worker.finetune.likelihood import token_nll
from worker.finetune.preparing import prepare
from worker.finetune.reporter import Silent

COMPILED, LIGER = TrainingConfig(torch_compile=True), TrainingConfig(use_liger_kernel=True)


@pytest.fixture
def adapted(rows: Path, make_config: Any) -> Callable[[Path], tuple[Any, Batch]]:
    def make(path: Path) -> tuple[Any, Batch]:
        job = prepare(make_config(), model_path=path, rows_path=rows, dataset_sha256=None, reporter=Silent())
        return attach(job.base.model, job.config), pad(job.train[:3], 1)

    return make


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are made and their gradients too, but run as they are: without a C++ compiler's minute."""
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")


def switch_on(model: Any, training: TrainingConfig, batch: Batch) -> dict[str, str]:
    return compiling.switch_on(model, training, batch, torch.float32)


def refused(model: Any, training: TrainingConfig, batch: Batch) -> str:
    with pytest.raises(FinetuneError) as caught:
        switch_on(model, training, batch)
    return caught.value.detail


def test_without_a_wish_nothing_is_touched(llama: Path, adapted: Any) -> None:
    assert switch_on(*adapted(llama)[:1], TrainingConfig(), adapted(llama)[1]) == {}


@pytest.mark.filterwarnings("ignore")
def test_compiled_blocks_compute_and_learn_the_same(llama: Path, adapted: Any, quick: None) -> None:
    model, batch = adapted(llama)
    plain = copy.deepcopy(model)
    assert switch_on(model, COMPILED, batch) == {"compiled": "2 feed-forward blocks"}
    found = []
    for side in (plain, model):
        nll, _ = token_nll(side.eval(), batch)
        nll.sum().backward()
        found.append((nll.detach(), {name: p.grad for name, p in side.named_parameters() if p.grad is not None}))
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-5, atol=1e-5)
    for name, gradient in found[0][1].items():
        assert (found[1][1][name] - gradient).norm() <= 1e-5 * gradient.norm(), name


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_is_copied_for_evaluation_as_any_other(llama: Path, adapted: Any, quick: None) -> None:
    model, batch = adapted(llama)
    switch_on(model, COMPILED, batch)
    model.eval()
    with torch.no_grad():
        expected = model(**batch.inputs()).logits
        assert torch.allclose(copy.deepcopy(model).unload()(**batch.inputs()).logits, expected, atol=1e-5)


def test_what_a_compiler_raises_or_gets_wrong_is_refused(
    llama: Path, adapted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("no g++ found\nand much more")

    model, batch = adapted(llama)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: setattr(self, "forward", fails))
    assert refused(model, COMPILED, batch) == "It failed: no g++ found"

    def halved(self: Any, **_: Any) -> None:
        forward = self.forward
        self.forward = lambda x: forward(x) / 2

    model, batch = adapted(llama)
    monkeypatch.setattr(torch.nn.Module, "compile", halved)
    assert refused(model, COMPILED, batch) == "The losses of a few rows are others than without it."


def test_an_architecture_without_known_blocks_is_refused(llama: Path, adapted: Any) -> None:
    model, _ = adapted(llama)
    for layer in model.base_model.model.model.layers:
        layer.ff = layer.mlp
        del layer.mlp
    with pytest.raises(FinetuneError, match="No feed-forward blocks are known of llama"):
        compiling._compile(model)


def test_liger_is_refused_without_a_gpu(llama: Path, adapted: Any) -> None:
    model, batch = adapted(llama)
    assert refused(model, LIGER, batch) == "Liger's kernels run on a GPU alone; this worker has none."


class OnGpu:
    """As if the model were on a GPU, to the one who asks only that."""

    def __init__(self, model: Any) -> None:
        self.model, self.device, self.config = model, torch.device("cuda"), model.config

    def modules(self) -> Any:
        return self.model.modules()


def test_liger_is_refused_where_it_is_not_installed_or_knows_no_such_model(
    llama: Path, adapted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = OnGpu(adapted(llama)[0])
    with pytest.raises(FinetuneError, match="liger-kernel is not installed"):
        compiling._liger(model)
    monkeypatch.setattr(compiling, "apply_liger_kernel", lambda *_: None)
    with pytest.raises(FinetuneError, match="knows no architecture llama"):
        compiling._liger(model)


def test_liger_takes_over_modules_and_leaves_the_loss_alone(
    llama: Path, adapted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, bool]] = []

    def applied(model: Any, choices: dict[str, bool]) -> None:
        asked.append(choices)
        for module in model.modules():
            if type(module).__name__ == "LlamaRMSNorm":
                module.forward = module.forward

    monkeypatch.setattr(compiling, "apply_liger_kernel", applied)
    assert compiling._liger(OnGpu(adapted(llama)[0])) == 5
    assert asked == [{"cross_entropy": False, "fused_linear_cross_entropy": False}]
