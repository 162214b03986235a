"""One run of a study the plain way, a fresh process: load, measure the base, train, evaluate, print what came.

python -m benchmarks._plain_study '{"model": ..., "rows": ..., "lora": {...}, "training": {...}, "method": "nf4"}'
"""

import json
import os
import sys
import tempfile
import time

STARTED = time.perf_counter()

from benchmarks import _plain_evaluation, _plain_training  # noqa: E402


def main() -> None:
    parts = {"libraries loaded": time.perf_counter() - STARTED}
    asked = json.loads(sys.argv[1])
    data = _plain_training.read(asked["rows"])

    def load() -> tuple[object, object]:
        return _plain_training.load(asked["model"], method=asked["method"])

    began = time.perf_counter()
    model, tokenizer = load()
    base = _plain_evaluation.evaluate(model, tokenizer, data, asked["max_new_tokens"])
    parts["base measured"] = time.perf_counter() - began
    # Anew: on a CPU bitsandbytes packs layers for evaluation, and no gradient passes through them from then on.
    began = time.perf_counter()
    model, tokenizer = load()
    model = _plain_training.adapted(
        model, asked["lora"], quantised=asked["method"] != "none", checkpointing=asked["checkpointing"]
    )
    with tempfile.TemporaryDirectory() as folder:
        _plain_training.train(model, tokenizer, data["train"], folder, asked["training"])
    parts["trained"] = time.perf_counter() - began
    began = time.perf_counter()
    tuned = _plain_evaluation.evaluate(model, tokenizer, data, asked["max_new_tokens"])
    parts["evaluated"] = time.perf_counter() - began
    sys.stderr.flush()
    print("\n" + json.dumps({"parts": parts, "base": base, "tuned": tuned}), flush=True)
    os._exit(0)  # as fast as a process can end


if __name__ == "__main__":
    main()
