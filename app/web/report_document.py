"""A report as one HTML file that needs no other: its style stands in it, its links lead back to this server."""

import re
from functools import lru_cache
from typing import Any

from fastapi import Request

from app.web.report_page import view
from app.web.templating import STATIC, environment

SHEETS = ("tokens", "base", "tables", "report")
# What Tabler does for the pages.
RESET = "*, ::before, ::after { box-sizing: border-box; } table { border-collapse: collapse; }"


def render(request: Request, report: dict[str, Any]) -> str:
    origin = str(request.base_url).rstrip("/")
    template = environment().get_template("reports/document.html")
    return template.render(style=style(), origin=origin, **view.build(report))


@lru_cache(maxsize=1)
def style() -> str:
    """The sheets of the page without what they would fetch, and the dark theme by the reader's system."""
    sheets = [(STATIC / "css" / f"{name}.css").read_text(encoding="utf-8") for name in SHEETS]
    text = re.sub(r"[^;{}]*url\([^)]*\)[^;}]*;?", "", "\n".join(sheets))
    dark = re.search(r"\[data-bs-theme=dark\] (\{.*?\n\})", text, re.DOTALL)
    assert dark is not None
    return f"{RESET}\n{text}\n@media screen and (prefers-color-scheme: dark) {{ :root {dark[1]} }}"
