"""`tuneboard demo` with runs of a few seconds: `python small_demo.py [OPTION...]`."""

import sys

from app import cli, demo

demo.SETTINGS |= {
    "data.max_train_rows": 16,
    "training.max_steps": 3,
    "evaluation.max_eval_rows": 4,
    "evaluation.max_new_tokens": 4,
}
sys.exit(cli.main(["demo", *sys.argv[1:]]))
