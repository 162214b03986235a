"""/docs: the API's description for people. FastAPI's own page loads from elsewhere and has inline script."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.web.templating import page

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def show(request: Request) -> HTMLResponse:
    return page(request, "docs/show.html")
