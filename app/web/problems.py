"""Errors as people and programs read them: RFC 9457 problem+json under /api, a page elsewhere. Never a traceback."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import OperationalError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from app.db import refusal
from app.disk import FULL
from app.errors import DiskFull, FieldError, Invalid, NotFound, TuneboardError, Unavailable, WrongMediaType
from app.findings import field_error
from app.json_text import shown
from app.web import methods
from app.web.headers import HEADERS
from app.web.templating import page

MEDIA_TYPE = "application/problem+json"


def install(app: FastAPI) -> None:
    app.add_exception_handler(TuneboardError, _domain)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(OSError, _disk)
    app.add_exception_handler(Exception, _unexpected)


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asks, and not a program."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def problem(
    request: Request,
    status: int,
    title: str,
    detail: str = "",
    *,
    errors: Iterable[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer to a request that failed."""
    detail = shown(detail)
    fields = [{"field": shown(e.field), "message": shown(e.message)} for e in errors]
    if wants_page(request):
        answer = page(
            request,
            "errors/problem.html",
            status_code=status,
            status=status,
            title=title,
            detail=detail,
            errors=fields,
            typed=_typed(request) if status == Unavailable.status else None,
        )
        answer.headers.update(headers or {})
        return answer
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": fields}
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def domain_problem(request: Request, error: TuneboardError) -> Response:
    errors = error.errors if isinstance(error, Invalid) else []
    detail = _summary(errors) if isinstance(error, Invalid) else str(error)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else None
    return problem(request, error.status, error.title, detail, errors=errors, headers=headers)


def _typed(request: Request) -> list[tuple[str, str]] | None:
    """The form that could not be stored, to be sent again; None where nothing was typed or a file was part of it."""
    form: FormData | None = getattr(request.state, "form", None)
    return [(name, text) for name, text in form.multi_items() if isinstance(text, str)] if form else None


def _summary(errors: list[FieldError]) -> str:
    if len(errors) == 1:
        return str(Invalid(errors))
    return f"{len(errors)} values are not allowed: {', '.join(dict.fromkeys(e.field for e in errors))}"


async def _domain(request: Request, error: Exception) -> Response:
    assert isinstance(error, TuneboardError)
    return domain_problem(request, error)


async def _validation(request: Request, error: Exception) -> Response:
    """FastAPI's own findings, told apart: a path that names nothing, a body that is no JSON, a value not allowed."""
    assert isinstance(error, RequestValidationError)
    items = error.errors()
    if any(item["type"] == "json_invalid" for item in items):
        reason = str(items[0].get("ctx", {}).get("error", ""))
        return problem(request, HTTPStatus.BAD_REQUEST, "Malformed request", f"The body is not JSON: {reason}.")
    if any(item["loc"][0] == "path" for item in items):
        return domain_problem(request, NotFound(f"There is nothing at {request.url.path}."))
    if any(item["loc"] == ("body",) for item in items) and not _is_json(request):
        return domain_problem(request, WrongMediaType("Send JSON, with Content-Type: application/json."))
    return domain_problem(request, Invalid([_field(item) for item in items]))


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def _field(item: dict[str, Any]) -> FieldError:
    """The dotted name as the caller wrote it: neither `body` nor the `config` around a RunConfig is part of it."""
    _, *location = item["loc"]
    if location[:1] == ["config"]:
        location = location[1:]
    elif location[:1] == ["settings"]:
        location = location[:2]
    elif item["type"] == "value_error":
        location = []  # a sentence of ours, which names its field itself
    elif len(location) > 2 and isinstance(location[2], str) and location[0] == "runs":
        location = [".".join(map(str, location))]  # of one run in a list
    else:
        location = location[:1]
    found = field_error(item | {"loc": tuple(location)})
    return found if found.field else FieldError("config" if "config" in item["loc"] else "body", found.message)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = "" if error.detail == title else str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND and not detail:
        detail = f"There is nothing at {request.url.path}."
    if error.status_code == HTTPStatus.BAD_REQUEST:
        title = "Malformed request"
    headers = dict(error.headers) if error.headers else {}
    if "Allow" in headers:
        headers["Allow"] = methods.allowed(request)
    return problem(request, error.status_code, title, detail, headers=headers)


async def _database(request: Request, error: Exception) -> Response:
    """What SQLite cannot do now passes, and nothing of the request was stored; anything else is a fault of ours."""
    assert isinstance(error, OperationalError)
    if refused := refusal(error.orig):
        return domain_problem(request, refused)
    raise error


async def _disk(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno in FULL:
        return domain_problem(request, DiskFull())
    raise error


async def _unexpected(request: Request, _: Exception) -> Response:
    """The server's log has the traceback (it is raised again after this); the person gets a sentence."""
    # Answered outside the guard, which would have added the headers.
    detail = "This is a fault of Tuneboard, not of the request. The server's log says what happened."
    return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong", detail, headers=HEADERS)
