"""Who may ask what: Host, cross-site writes, the access token, body size, and the headers of every answer.

Scripts on the same machine call the API freely while no token is set; a browser is held to this origin, so that no
other page it has open can launch or delete anything. With a token every call needs it: programs send
`Authorization: Bearer ...`, browsers get a cookie at /login.
"""

import ipaddress
import re
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.settings import Settings
from app.web import problems, secrets
from app.web.headers import HEADERS

COOKIE = "tuneboard_login"
COOKIE_SECONDS = 30 * 86_400
MAX_BODY_BYTES = 1_000_000
MULTIPART_OVERHEAD_BYTES = 1_000_000
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# An IPv6 address in brackets, or a name or IPv4 address; then perhaps a port.
HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::\d*)?", re.ASCII)

# Open without a token: is it up, and what the login page itself is made of.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login", "/favicon.ico"})


class Guard:
    """ASGI middleware, outermost: what it refuses reaches no route. Plain ASGI, so that streams stay streams."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = _refusal(request, self.settings)
        guarded = _with_headers(send)
        if refusal is not None:
            await refusal(scope, receive, guarded)
        else:
            await self.app(scope, _limited(receive, _limit(request, self.settings)), guarded)


def _refusal(request: Request, settings: Settings) -> Response | None:
    if not _host_is_known(request.headers.get("host", ""), settings):
        detail = "The Host header names none of this server's addresses; TUNEBOARD_ALLOWED_HOSTS adds one."
        return problems.problem(request, 400, "Unknown host", detail)
    if request.method not in SAFE_METHODS and _is_cross_site(request.headers):
        return problems.problem(request, 403, "Cross-site request", "Another site's page may not change anything here.")
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        return problems.problem(request, 400, "Malformed request", "Content-Length is not a number.")
    if int(length) > _limit(request, settings):
        return problems.problem(request, 413, "Too large", _too_large(_limit(request, settings)))
    if not _is_open(request.url.path) and not is_logged_in(request, settings):
        return _login_needed(request)
    return None


def _host_is_known(host: str, settings: Settings) -> bool:
    """A name must be ours: a foreign one that resolves to us is DNS rebinding. Addresses cannot be rebound."""
    match = HOST.fullmatch(host.lower())
    name = (match[1] or match[2]) if match else ""
    if name in settings.host_names or name == settings.host.lower():
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_cross_site(headers: Headers) -> bool:
    """By what browsers send and pages cannot forge; programs send neither header."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower()


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")


def is_logged_in(request: Request, settings: Settings) -> bool:
    if not settings.token:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return is_token(settings, given.strip())
    return secrets.same(request.cookies.get(COOKIE, ""), secrets.sign(settings, "login"))


def is_token(settings: Settings, given: str) -> bool:
    return bool(settings.token) and secrets.same(given, settings.token)


def log_in(request: Request, response: Response, settings: Settings) -> None:
    """Give the browser its cookie: no token inside, sent to this site only, out of reach of scripts."""
    response.set_cookie(
        COOKIE,
        secrets.sign(settings, "login"),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def log_out(response: Response) -> None:
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def _login_needed(request: Request) -> Response:
    if problems.wants_page(request) and request.method in SAFE_METHODS:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(target, safe='/')}", status_code=303)
    detail = "This server asks for its access token: send it as `Authorization: Bearer TOKEN`."
    return problems.problem(request, 401, "Not logged in", detail, headers={"WWW-Authenticate": "Bearer"})


def _limit(request: Request, settings: Settings) -> int:
    """Bytes a body may have: uploads come as multipart, everything else is small."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return settings.max_upload + MULTIPART_OVERHEAD_BYTES
    return MAX_BODY_BYTES


def _too_large(limit: int) -> str:
    return f"The body is longer than {limit:,} bytes."


def _limited(receive: Receive, limit: int) -> Receive:
    """Count what arrives: a body may come in chunks, with no length announced."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def headed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return headed


def form_token(request: Request) -> str:
    """The hidden field `_token` of every form."""
    return secrets.make_form_token(request.app.state.settings)


async def _page_form(request: Request) -> FormData:
    form = await request.form()
    if not secrets.is_form_token(request.app.state.settings, str(form.get("_token", ""))):
        raise HTTPException(403, "This form is older than a week, or not ours. Load its page again and send it anew.")
    request.state.form = form  # a page that refuses for want of a database hands it back
    return form


# The form of a page's POST, its token checked.
PageForm = Annotated[FormData, Depends(_page_form)]
