"""The page that asks for the access token, once a browser."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.web import security
from app.web.deps import SettingsDep
from app.web.security import PageForm
from app.web.templating import page

router = APIRouter(include_in_schema=False)


@router.get("/login")
def show(request: Request, settings: SettingsDep, next: str = "/") -> Response:
    if security.is_logged_in(request, settings):
        return RedirectResponse(_local(next), status_code=303)
    return _page(request, next)


@router.post("/login")
def log_in(request: Request, settings: SettingsDep, form: PageForm) -> Response:
    target = _local(str(form.get("next", "/")))
    if not security.is_token(settings, str(form.get("token", "")).strip()):
        return _page(request, target, error="This is not the server's token.", status_code=401)
    answer = RedirectResponse(target, status_code=303)
    security.log_in(request, answer, settings)
    return answer


def _page(request: Request, next: str, error: str = "", status_code: int = 200) -> HTMLResponse:
    return page(request, "login/show.html", next=_local(next), error=error, status_code=status_code)


def _local(target: str) -> str:
    """Only a path of this server: a link to /login must not be able to send anyone elsewhere."""
    parts = urlsplit(target)
    is_path = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_path and not parts.scheme and not parts.netloc else "/"
