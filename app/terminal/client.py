"""The REST API from the command line: a running server, its answers, and its refusals as one sentence."""

from types import TracebackType
from typing import Any, Self

import httpx

from app.address import url
from app.errors import TuneboardError, Unavailable
from app.settings import Settings

Json = dict[str, Any]


class Refused(TuneboardError):
    """The server said no; the message is what it said."""


class Client:
    """Speaks to the server at the settings' host and port, with their token."""

    def __init__(self, settings: Settings) -> None:
        self.url = url(settings)
        headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
        # trust_env=False: a proxy of the environment has no business between this machine and itself.
        self._http = httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int) -> Json:
        return self._answer("GET", path, params=query)

    def post(self, path: str, body: Json) -> Json:
        return self._answer("POST", path, json=body)

    def _answer(self, method: str, path: str, **request: Any) -> Json:
        try:
            response = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise Unavailable(
                f"No Tuneboard answers at {self.url} ({error}): start it with `tuneboard up`, or give --port."
            ) from None
        if response.is_error or not _kind(response).startswith("application/json"):
            raise Refused(_refusal(response))
        answer: Json = response.json()
        return answer


def _refusal(response: httpx.Response) -> str:
    """An application/problem+json as a sentence, with one part for each field that is wrong."""
    if not _kind(response).startswith("application/problem+json"):
        return f"{response.url} answered {response.status_code}: is that Tuneboard?"
    problem = response.json()
    fields = [f"{error['field']}: {error['message']}" for error in problem.get("errors", [])]
    said = "; ".join(fields) or str(problem.get("detail") or problem.get("title"))
    return f"{said} Set TUNEBOARD_TOKEN." if response.status_code == httpx.codes.UNAUTHORIZED else said


def _kind(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", ""))
