"""Pages from templates: one environment, its filters, and what every page is given."""

from functools import lru_cache, partial
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app import attempts, metrics, run_state
from app.run_config import label
from app.settings import ROOT
from app.web import chip, numbers, secrets, spark

STATIC = ROOT / "app" / "static"

FILTERS = (
    numbers.number,
    numbers.signed,
    numbers.difference,
    numbers.metric,
    numbers.change,
    numbers.share,
    numbers.gigabytes,
    numbers.size,
    numbers.duration,
    numbers.ago,
    numbers.setting,
    run_state.stage,
    run_state.tries_again_in,
    attempts.took,
)


def page(request: Request, name: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
    """Render the template; a partial is rendered the same way, so that page and live refresh cannot differ."""
    html = (
        environment()
        .get_template(name)
        .render(
            request=request,
            form_token=partial(_form_token, request),
            chip=partial(chip.current, request),
            **context,
        )
    )
    return HTMLResponse(html, status_code=status_code)


@lru_cache(maxsize=1)
def environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {function.__name__: function for function in FILTERS}
    env.globals |= {
        "METRICS": metrics.BY_SHORT,
        "COMPARED": metrics.COMPARED,
        "label": label,
        "static": static,
        "verdict": numbers.verdict,
        "NOTHING": numbers.NOTHING,
        "SPARK": (spark.WIDTH, spark.HEIGHT),
    }
    return env


def static(path: str) -> str:
    """The address of a static file; it changes with the file, so that a browser may keep what it has for ever."""
    return f"/static/{path}?v={(STATIC / path).stat().st_mtime_ns // 1_000_000:x}"


def _form_token(request: Request) -> Markup:
    """The hidden field that every form posts back, as a proof that the form is ours."""
    return Markup('<input type="hidden" name="_token" value="{}">').format(
        secrets.make_form_token(request.app.state.settings)
    )
