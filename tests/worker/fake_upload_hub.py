"""As much of a model hub as a copy to it needs: repositories are made, files arrive in a commit, large ones before."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.worker.local_server import LocalServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class UploadHub(LocalServer):
    """`files` by name of what the last commit holds; `refuses` is the status that nothing gets past."""

    refuses: int | None = None
    seen_by: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str | None] = field(default_factory=set)
    _large: dict[str, bytes] = field(default_factory=dict, init=False)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = request.path.partition("?")[0]
        if path.startswith("/large/"):  # a signed address: it needs no token
            self._large[path.removeprefix("/large/")] = body
            return _send(request, 200, {})
        self.tokens.add(request.headers.get("Authorization"))
        if self.refuses:
            return _send(request, self.refuses, {"error": "no"})
        return _send(request, 200, self._reply(path, body))

    def _reply(self, path: str, body: bytes) -> Any:
        if path == "/api/repos/create":
            asked = json.loads(body)
            self.seen_by[f"{asked['organization']}/{asked['name']}"] = asked["visibility"]
            return {"url": f"{self.url}/{asked['organization']}/{asked['name']}"}
        if "/preupload/" in path:
            return {"files": [_mode(file["path"]) for file in json.loads(body)["files"]]}
        if path.endswith("/objects/batch"):
            return {"transfer": "basic", "objects": [self._place(item) for item in json.loads(body)["objects"]]}
        if "/commit/" in path:
            self._commit([json.loads(line) for line in body.splitlines()])
            return {"commitUrl": f"{self.url}/owner/name/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
        return {"errors": [], "warnings": []}  # of the card's front matter

    def _place(self, item: dict[str, Any]) -> dict[str, Any]:
        return item | {"actions": {"upload": {"href": f"{self.url}/large/{item['oid']}", "header": {}}}}

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                content = self._large[value["oid"]]
                assert hashlib.sha256(content).hexdigest() == value["oid"]
                self.files[value["path"]] = content


def _mode(path: str) -> dict[str, Any]:
    return {"path": path, "uploadMode": "lfs" if path.endswith(".safetensors") else "regular", "shouldIgnore": False}


def _send(request: BaseHTTPRequestHandler, status: int, value: Any) -> None:
    body = json.dumps(value).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/vnd.git-lfs+json" if "lfs" in request.path else "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
