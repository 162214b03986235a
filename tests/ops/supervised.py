"""A supervisor over stand-in parts, run as a process of its own: `python supervised.py NAME=COMMAND...`.

The word {grace=N} in front of the parts shortens the wait for a part that does not want to end.
"""

import shlex
import sys

from app import supervisor
from app.supervisor import Part, Supervisor, to_terminal

arguments = sys.argv[1:]
if arguments[0].startswith("grace="):
    supervisor.GRACE_SECONDS = float(arguments.pop(0).removeprefix("grace="))
parts = [Part(name, shlex.split(command)) for name, command in (word.split("=", 1) for word in arguments)]
Supervisor(parts, to_terminal).run()
