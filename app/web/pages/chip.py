"""What the top bar of every open page asks for when something has changed."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.web.templating import page

router = APIRouter(include_in_schema=False)


@router.get("/live/chip")
def show(request: Request) -> HTMLResponse:
    return page(request, "_chip.html")
