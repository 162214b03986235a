"""`tuneboard demo` with runs long enough to be seen training: `python small_demo.py [OPTION...]`."""

import sys

from app import cli
from app.terminal import demo

WHOLE = demo.reference_study
demo.reference_study = lambda *words: WHOLE(*words)[:2]
demo.SETTINGS |= {
    "data.max_train_rows": 60,
    "evaluation.max_eval_rows": 4,
    "evaluation.max_new_tokens": 4,
}
sys.exit(cli.main(["demo", *sys.argv[1:]]))
