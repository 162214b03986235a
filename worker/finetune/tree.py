"""Nested state (dicts, lists, numbers, tensors) as JSON beside a flat table of tensors: no pickle anywhere."""

from typing import Any

import torch

Tensors = dict[str, torch.Tensor]


def flatten(value: Any, tensors: Tensors) -> Any:
    """JSON for `value`; its tensors are added to `tensors`. Dicts become pairs: optimizers use numbers as keys."""
    if isinstance(value, torch.Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[flatten(k, tensors), flatten(v, tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [flatten(v, tensors) for v in value]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"A checkpoint cannot hold a {type(value).__name__}")


def unflatten(value: Any, tensors: Tensors) -> Any:
    """The reverse of `flatten`; tuples come back as lists."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "dict" in value:
        return {unflatten(k, tensors): unflatten(v, tensors) for k, v in value["dict"]}
    return [unflatten(v, tensors) for v in value["list"]]
