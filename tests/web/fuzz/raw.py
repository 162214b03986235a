"""Requests that no client library would send, byte by byte."""

import socket
from contextlib import closing

from tests.web.process import Web


def connect(web: Web) -> socket.socket:
    return socket.create_connection(web.host, timeout=10)


def exchange(web: Web, request: bytes) -> bytes:
    """What the server says until it closes, or falls silent; b"" where it only closed."""
    with closing(connect(web)) as connection:
        connection.sendall(request)
        connection.settimeout(3)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
                if _is_whole(answer):
                    return answer
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def status(answer: bytes) -> int:
    """Of an answer; 0 where there was none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def head(web: Web, path: str = "/healthz", method: str = "GET", host: str | None = None, **headers: str) -> bytes:
    """The lines of a request's head; an underscore in a header's name is a dash."""
    named = {"Host": "{}:{}".format(*web.host) if host is None else host, **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("utf-8", "surrogateescape")


def _is_whole(answer: bytes) -> bool:
    """Whether the body is there that the head announces."""
    top, end, body = answer.partition(b"\r\n\r\n")
    for line in top.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(end) and len(body) >= int(line.split(b":")[1])
    return False
