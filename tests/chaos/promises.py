"""The one table of what is promised: `make test` tries each a few times, `make chaos` until `full` is reached."""

from tests.chaos.trial import Promise
from tests.chaos.trials import (
    broker,
    cancelled,
    clock,
    damaged,
    disk_full,
    endings,
    fuzz,
    killed,
    large_upload,
    locked,
    once,
    power,
    restarted,
    resumed,
    web_killed,
)

PROMISES = (
    Promise("web_killed", "A run that got 201 is never lost, nor made twice", 5, 200, web_killed.opened),
    Promise("broker", "The broker is disposable", 3, 50, broker.opened),
    Promise("once", "No run is ever worked on twice at once", 10, 500, once.opened),
    Promise(
        "killed",
        "A worker or child that is killed at any moment: the run resumes by itself in 60 s, and loses at most one "
        "checkpoint interval",
        10,
        300,
        killed.opened,
    ),
    Promise("cancelled", "A cancel always works, and the process is gone", 5, 200, cancelled.opened),
    Promise("restarted", "Stop and start of everything keeps queue and progress", 3, 100, restarted.opened),
    Promise("clock", "Jumps of the clock harm nothing", 4, 100, clock.opened),
    Promise(
        "damaged",
        "A damaged checkpoint is never loaded; the last good one is, and the page says so",
        20,
        1000,
        damaged.opened,
    ),
    Promise("resumed", "A resumed run equals an uninterrupted one, to the last bit", 2, 50, resumed.opened),
    Promise("locked", "A locked database is no error page", 3, 100, locked.opened),
    Promise("disk_full", "A full disk does no harm", 5, 250, disk_full.opened),
    Promise("power", "After a power cut it opens and goes on", 3, 200, power.opened),
    Promise("endings", "Every ending of a training process has the right name", 11, 220, endings.opened),
    # The quick shares of these two are tests/web/fuzz and tests/web/test_large_uploads.py.
    Promise("fuzz", "No request makes the web fail, and each answer is as documented", 0, 50, fuzz.opened),
    Promise("large_upload", "1 GB is uploaded with 64 MB of memory in the web", 0, 4, large_upload.opened),
)
