"""A stand-in for the errand process: does as its request says.

{"say": [...]}  these messages, in order     {"sleep": 1}  then rest      {"answer": {...}}  then this
{"exit": 3}     or end like this             {"pid": "file"}  write its process id there first
"""

import argparse
import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--report-fd", type=int)
    parser.add_argument("--parent-pid", type=int)
    parser.add_argument("--light", action="store_true")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    with os.fdopen(options.report_fd, "w", buffering=1) as pipe:
        for line in sys.stdin:
            request = json.loads(line)["request"]
            if "pid" in request:
                Path(request["pid"]).write_text(str(os.getpid()))
            for message in request.get("say", ()):
                pipe.write(json.dumps(message) + "\n")
            time.sleep(request.get("sleep", 0))
            while "until" in request and not Path(request["until"]).exists():
                time.sleep(0.02)
            if "exit" in request:
                os._exit(request["exit"])
            seen = {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "token": "HF_TOKEN" in os.environ}
            pipe.write(json.dumps({"answer": request.get("answer", {}) | seen}) + "\n")


main()
