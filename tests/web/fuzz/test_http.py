"""Malicious and odd HTTP against one real web process: no fault, no file of others, and everybody else is answered."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.web.fuzz.raw import connect, exchange, head, status
from tests.web.process import Web, web

HOSTS = (
    "",
    "[",
    "]",
    "[::1",
    "[::1]:x",
    "[::1]]",
    "evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "127.0.0.1:8000:8000",
    "127.0.0.1/../x",
    "127.0.0.1#x",
    "127.0.0.1?x",
    "127.0.0.1 evil.example",
    "0x7f.1",
    "[fe80::1%25eth0]",
    "a" * 5000,
    "\udcff",
    "127.0.0.1\tx",
    "*",
)
UP = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..%252f", "....//", "%c0%ae%c0%ae/")
ARTIFACTS = "/api/v1/runs/1/artifacts/"
NAMES = ("%00", "a%00b", "x" * 5000, "%ff", "%ed%a0%80", ".", "..", "manifest.json", "CON", "a%0d%0ab: c")
LENGTHS = ("-1", "1e3", "9" * 5000, "\u0663", "", "5, 6", "0x10")
CHUNKS = (b"zz\r\n", b"-1\r\n", b"F" * 40 + b"\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"1\r\n\xff\r\n0\r\n\r\n")
LINES = (b"", b"\0\0\0", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02", b"PRI * HTTP/2.0\r\n\r\n")
HEADERS = {
    "Cookie": "tuneboard_login=\x01\xe9" + "=;" * 9000,
    "Range": "bytes=" + "0-," * 9000,
    "Accept": "," * 30_000,
    "Authorization": "Bearer " + "é" * 999,
    "If_None_Match": "," * 9999,
    "Accept_Encoding": "gzip;q=nan",
    "Last_Event_ID": "1.2-" * 2400,
    "Origin": "null",
}


@pytest.fixture(scope="module")
def served(seeded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("odd-http")
    shutil.copytree(seeded_folder, folder / "served")
    with web(folder / "served", folder / "web.log") as process:
        yield process


def test_no_path_leads_out_of_its_folder(served: Web) -> None:
    for root in (ARTIFACTS, "/static/", "/api/v1/runs/", "/", "//", f"{ARTIFACTS}x%00", "/static//"):
        for up in UP:
            answer = exchange(served, head(served, f"{root}{up * 8}etc/passwd"))
            assert status(answer) in (400, 404, 405), (root, up)
            assert b"root:" not in answer
    for name in NAMES:
        for root in (ARTIFACTS, "/static/", "/runs/", "/experiments/"):
            answer = exchange(served, head(served, root + name))
            assert 400 <= status(answer) < 500, (root, name)
            assert b"\r\nb: c" not in answer
    assert not served.faults()


def test_a_host_that_is_none_is_refused_and_no_fault(served: Web) -> None:
    for path in ("/", "/api/v1/runs", "/healthz", "/static/css/base.css", "/nowhere"):
        for host in HOSTS:
            for accept in ("text/html", "*/*"):
                answer = exchange(served, head(served, path, host=host, Accept=accept))
                assert status(answer) == 400, (host, path)
    assert status(exchange(served, b"GET / HTTP/1.1\r\n\r\n")) == 400
    assert not served.faults()


def test_a_request_that_contradicts_itself_is_refused(served: Web) -> None:
    json = {"Content_Type": "application/json"}
    post = "/api/v1/experiments"
    for length in LENGTHS:
        request = head(served, post, "POST", Content_Length=length, **json)
        assert status(exchange(served, request)) in (400, 413), length
    both = head(served, post, "POST", Content_Length="5", Transfer_Encoding="chunked", **json)
    assert status(exchange(served, both + b"0\r\n\r\nGET /nowhere HTTP/1.1\r\n\r\n")) < 500
    chunked = head(served, post, "POST", Transfer_Encoding="chunked", **json)
    for body in CHUNKS:
        assert status(exchange(served, chunked + body)) in (0, 400, 413, 422), body
    for line in LINES:
        assert status(exchange(served, line + b"\r\n\r\n")) < 500, line
    assert status(exchange(served, head(served, "*", "OPTIONS"))) < 500
    assert status(exchange(served, head(served, "http://evil.example/api/v1/runs"))) < 500
    assert status(exchange(served, head(served, "/api/v1/runs", "x" * 5000))) < 500
    assert not served.faults()


def test_huge_headers_are_refused(served: Web) -> None:
    assert status(exchange(served, head(served, X="y" * 200_000))) in (0, 400, 431)
    assert status(exchange(served, head(served, **{f"X{i}": "y" * 50 for i in range(5000)}))) in (0, 400, 431)
    assert status(exchange(served, head(served, "/" + "x" * 200_000))) in (0, 400, 414)
    for name, value in HEADERS.items():
        for path in ("/static/css/base.css", "/api/v1/runs", "/", "/runs/1/log"):
            assert status(exchange(served, head(served, path, **{name: value}))) < 500, (name, path)
    assert not served.faults()


def test_the_web_answers_while_many_hang_on_it(served: Web, http: httpx.Client) -> None:
    """100 connections: silent ones, heads and bodies that come a byte at a time or stop, streams that nobody reads."""
    json = {"Content_Type": "application/json", "Content_Length": "500"}
    form = {"Content_Type": "multipart/form-data; boundary=x", "Content_Length": "100000"}
    kinds = (
        b"",
        b"GET /api/v1/ru",
        head(served, "/api/v1/experiments", "POST", **json) + b'{"name": "slo',
        head(served, "/api/v1/datasets", "POST", **form) + b"--x\r\nContent-Disposition: form-data; name",
        head(served, "/api/v1/events"),
    )
    with _open(served, kinds, 100) as connections:
        longest = 0.0
        for _ in range(10):
            for connection in connections[1::5]:
                connection.sendall(b"n")  # a byte at a time, for as long as it likes
            started = time.monotonic()
            assert http.get("/api/v1/runs").status_code == 200
            assert http.post("/api/v1/experiments", json={"name": f"quick {started}"}).status_code == 201
            longest = max(longest, time.monotonic() - started)
    print(f"longest wait beside 100 connections: {longest:.2f} s")
    assert longest < 5
    end = time.monotonic() + 10
    while any(_going_on(served)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(_going_on(served))  # uploads that broke off leave nothing
    assert http.get("/healthz").status_code == 200
    assert not served.faults()


@contextmanager
def _open(web: Web, kinds: tuple[bytes, ...], count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(web)) for _ in range(count)]
        for number, connection in enumerate(connections):
            connection.sendall(kinds[number % len(kinds)])
        yield connections


def _going_on(web: Web) -> Iterator[object]:
    """Folders of imports that are going on."""
    return web.data_dir.glob("datasets/.import-*")
