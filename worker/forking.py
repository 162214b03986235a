"""A process forked from one that has everything loaded, as a child of that one's parent."""

import os
import time

from app.processes import die_with

LOOK_SECONDS = 0.001


def forked(parent: int) -> bool:
    """True in the new process, False in this one, which is its parent's equal: both are children of `parent`, which has
    to be `adopting`. The new one has a session of its own and is killed when `parent` ends.

    To be called where no other thread holds a lock of a library: the new process would find it held for ever.
    """
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return False
    between = os.getpid()
    if os.fork():
        os._exit(0)
    os.setsid()
    while os.getppid() == between:
        time.sleep(LOOK_SECONDS)
    die_with(parent)
    return True
