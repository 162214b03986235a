"""Fill an MLflow store on SQLite: `PYTHON benchmarks/_mlflow_store.py FILE RUNS POINTS`, in a Python that has mlflow.

Prints JSON: the ids of the experiment and of ten runs with histories, and points written a second.
"""

import json
import logging
import random
import sys
import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

logging.disable(logging.INFO)


def main() -> None:
    path, runs, points = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client, chance = MlflowClient(f"sqlite:///{path}"), random.Random(0)
    experiment = client.create_experiment("bench")
    ids = []
    for number in range(runs):
        run = client.create_run(experiment, run_name=f"Run {number}")
        scores = {"perplexity": chance.uniform(10, 40), "bleu": chance.random(), "rouge_l": chance.random()}
        metrics = [Metric(name, value, 0, 0) for name, value in scores.items()]
        params = [Param("r", str(4 << number % 4)), Param("learning_rate", str(1e-5 * (1 + number)))]
        client.log_batch(run.info.run_id, metrics=metrics, params=params)
        client.set_terminated(run.info.run_id)
        ids.append(run.info.run_id)
    began = time.perf_counter()
    for run_id in ids[:10]:
        for first in range(0, points, 1000):  # the most that a batch may have
            batch = [Metric("loss", chance.random(), step, step) for step in range(first, min(first + 1000, points))]
            client.log_batch(run_id, metrics=batch)
    rate = 10 * points / (time.perf_counter() - began)
    print(json.dumps({"experiment": experiment, "runs": ids[:10], "points_a_second": rate}))


if __name__ == "__main__":
    main()
