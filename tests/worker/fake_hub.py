"""As much of a model hub as a download needs, on this machine: repositories with files, gated ones, a slow one."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.worker.local_server import LocalServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub(LocalServer):
    """`files` by "owner/name"; `answers` of what was asked; `sizes` lies about a file's size."""

    files: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    broken: bool = False
    hangs: threading.Event | None = None  # set it to let go of a file that is being asked for
    asked: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def __exit__(self, *error: object) -> None:
        if self.hangs:
            self.hangs.set()
        super().__exit__(*error)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        self.tokens.add(request.headers.get("Authorization"))
        if self.broken:
            return _send(request, 503, {}, b"busy")
        if path.startswith("/api/models/"):
            owner, name, *rest = path.removeprefix("/api/models/").split("/")
            return self._tell(request, f"{owner}/{name}", rest[-1] if rest else "main")
        if "/resolve/" not in path:
            return _send(request, 404, {}, b"")
        owner, name, _, _, *file = path.removeprefix("/").split("/")
        return self._serve(request, f"{owner}/{name}", "/".join(file))

    def _tell(self, request: BaseHTTPRequestHandler, model: str, revision: str) -> None:
        if model not in self.files:
            return _send(request, 401, {"X-Error-Code": "RepoNotFound"}, b"{}")
        if revision not in ("main", "v1", COMMIT):
            return _send(request, 404, {"X-Error-Code": "RevisionNotFound"}, b"{}")
        if model in self.gated:
            return _send(request, 403, {"X-Error-Code": "GatedRepo"}, b"{}")
        siblings = [
            {"rfilename": name, "size": self.sizes.get(name, len(content))}
            for name, content in self.files[model].items()
        ]
        info = {"id": model, "modelId": model, "sha": COMMIT, "siblings": siblings, "private": False}
        return _send(request, 200, {"Content-Type": "application/json"}, json.dumps(info).encode())

    def _serve(self, request: BaseHTTPRequestHandler, model: str, file: str) -> None:
        content = self.files[model][file]
        if self.hangs and request.command == "GET":
            self.hangs.wait(60)
        etag = hashlib.sha256(content).hexdigest()
        _send(request, 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'}, content)


def _send(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(body)
