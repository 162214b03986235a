"""Odd requests of every operation that /openapi.json names: valid ones with one part of them replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

import httpx

from tests.web.fuzz import odd

CONFIG = {
    "model": {"base_model": "sample/clinic-2m", "revision": None},
    "quantization": {"method": "nf4"},
    "lora": {"r": 8, "target_modules": ["q_proj"]},
    "data": {"dataset": 1, "prompt_template": "auto"},
    "training": {"learning_rate": 2e-4, "num_train_epochs": 1, "max_steps": 2},
    "evaluation": {"max_eval_rows": 2},
}
# A body that each operation accepts, in some state of things.
READ = {"model": "sample/clinic-2m", "prompt_template": "auto", "max_length": 64}
BODIES: Mapping[tuple[str, str], Any] = {
    ("post", "/runs"): {"experiment": "odd", "name": "a", "notes": "b", "tags": ["c"], "config": CONFIG},
    ("post", "/sweeps"): {
        "experiment": 1,
        "config": CONFIG,
        "axes": {"lora.r": [4, 8], "training.learning_rate": {"low": 1e-4, "high": 1e-3, "n": 2, "scale": "log"}},
        "method": "grid",
        "linked": [["lora.r", "lora.lora_alpha"]],
        "seeds": [1, 2],
    },
    ("post", "/runs/bulk"): {"ids": [1, 2], "action": "tag", "add": ["a"], "remove": ["b"]},
    ("patch", "/runs/{run_id}"): {"name": "a", "notes": "b", "tags": ["c"]},
    ("post", "/runs/{run_id}/retry"): {"fresh": True},
    ("post", "/experiments"): {"name": "another", "description": ""},
    ("patch", "/experiments/{experiment_id}"): {"name": "a", "description": "b", "baseline_run": 1},
    ("post", "/datasets/{dataset_id}/append"): {"dataset": 1, "name": "both"},
    ("patch", "/queue"): {"runs": [11, 12]},
    ("post", "/previews"): {"dataset": 1, "row": 3, **READ},
    ("post", "/datasets/{dataset_id}/lengths"): READ,
    ("post", "/estimates"): {"config": CONFIG},
    ("post", "/tryouts"): {"runs": [1, 2], "prompt": "a", "settings": {"max_new_tokens": 8, "temperature": 0.5}},
    ("post", "/runs/{run_id}/exports"): {"kind": "merged"},
    ("post", "/runs/{run_id}/exports/pushes"): {"what": "adapter", "repository": "a/b", "private": True},
    ("post", "/views"): {"name": "mine", "query": "sort=-eval/bleu"},
}
NAMED = {"experiment": "odd", "config": CONFIG, "runs": [{"name": "a", "notes": "", "set": {"lora.r": 4}}]}
FILES = {
    "/datasets": ("rows.jsonl", b'{"prompt": "a", "response": "b"}\n' * 3),
    "/imports": ("runs.csv", b"name,lr,perplexity,time\nA,1e-4,18.2,45 min\nB,2e-4,17.1,1 h\n"),
}
CELLS = ("1e999", "-1e999", "9" * 400, "nan", "0:99:99", "1e400 min", "9" * 400 + " GB", "4.2 GB", "~", "\0", "|", '"')


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    form: dict[str, str] | None = None
    file: tuple[str, bytes] | None = None

    def send(self, client: httpx.Client) -> httpx.Response:
        files = {"file": self.file} if self.file else None
        sent = client.build_request(
            self.method, self.path, params=self.query, headers=self.headers, content=self.content, data=self.form,
            files=files,
        )  # fmt: skip
        answer = client.send(sent, stream=True)
        try:
            if "event-stream" not in answer.headers.get("content-type", ""):
                answer.read()
        finally:
            answer.close()
        return answer


def odd_request(document: Mapping[str, Any], random: Random) -> Request:
    """One of them; which operation, and what is odd about it, comes from `random`."""
    path, calls = random.choice(sorted(document["paths"].items()))
    method, call = random.choice(sorted(calls.items()))
    request = Request(method, path)
    for parameter in call.get("parameters", ()):
        _set(request, parameter, random)
    if "requestBody" in call:
        _set_body(request, call["requestBody"]["content"], path.removeprefix("/api/v1"), random)
    return request


def _set(request: Request, parameter: Mapping[str, Any], random: Random) -> None:
    name, place = parameter["name"], parameter["in"]
    is_odd = random.random() < (0.3 if place == "path" else 0.5)
    if place == "path":
        value = odd.text(random)[:2500] if is_odd else str(random.choice((1, 2, 9, 11)))
        request.path = request.path.replace("{" + name + "}", quote(value, safe=""))
    elif place == "query" and is_odd:
        request.query[name] = odd.text(random)[:2500]
    elif place == "header" and is_odd:
        request.headers[name] = odd.text(random).encode("ascii", "ignore").decode().replace("\0", "")[:300].strip()
        request.headers[name] = " ".join(request.headers[name].split())


def _set_body(request: Request, content: Mapping[str, Any], path: str, random: Random) -> None:
    if "multipart/form-data" in content:
        names = sorted(content["multipart/form-data"]["schema"]["properties"])
        request.form = {"experiment": "odd"} if path == "/imports" else {}
        request.form |= {name: odd.text(random) for name in names if name != "file" and random.random() < 0.3}
        filename, body = FILES[path]
        if path == "/imports":
            body = body.replace(random.choice((b"18.2", b"45 min", b"1e-4")), random.choice(CELLS).encode())
        request.file = (random.choice((filename, filename, odd.text(random)[:300])), body)
        return
    valid = BODIES[request.method, path]
    if path == "/sweeps" and random.random() < 0.3:
        valid = NAMED
    request.content = odd.as_bytes(odd.broken(valid, random), random)
    request.headers["content-type"] = "application/json"
