"""Which methods an address knows: the `Allow` of a 405, which the framework fills from the first route alone."""

from fastapi import Request
from starlette.routing import Match

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def allowed(request: Request) -> str:
    return ", ".join(method for method in METHODS if _is_known(request, method))


def _is_known(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(dict(scope))[0] is Match.FULL for route in request.app.router.routes)
