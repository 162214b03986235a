"""/runs/new: one run from a form. What it posts goes the way of the API: run_config.parse, runs.create_run, wake."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session, col, select

from app import base_models, experiments, model_shape, presets, run_config, runs
from app.db import MAX_ID
from app.errors import FieldError, Invalid
from app.models import Dataset, Run
from app.presets import Preset
from app.settings import Settings
from app.web import forms, launch_summary, launch_view
from app.web.deps import DatabaseDep, Reading, SettingsDep, Wake
from app.web.security import PageForm
from app.web.templating import page

router = APIRouter(prefix="/runs/new", include_in_schema=False)

# Tells the run's page that nobody could be woken.
UNREACHABLE = "?queue=unreachable"

RunId = Annotated[int | None, Query(ge=1, le=MAX_ID)]


@router.get("")
def new_run(
    request: Request, session: Reading, settings: SettingsDep, preset: str | None = None, clone: RunId = None
) -> HTMLResponse:
    """The form with the defaults, a preset or another run's settings in it; `?lora.r=4` sets one more."""
    source = runs.get_run(session, clone) if clone else None
    chosen = None if source else _preset(preset)
    typed = _start(session, source, chosen) | _settings_in(request.query_params)
    return _form(request, session, settings, typed, source=source, preset=chosen)


@router.get("/facts")
def facts(request: Request, session: Reading, settings: SettingsDep, clone: RunId = None) -> HTMLResponse:
    """The panel beside the form, for what is typed so far."""
    source = session.get(Run, clone) if clone else None
    typed = _settings_in(request.query_params)
    panel = _panel(session, settings, typed, source)
    return page(request, "runs/_launch_facts.html", **panel, complaints=launch_view.complaints(typed))


@router.post("")
def launch(request: Request, form: PageForm, database: DatabaseDep, settings: SettingsDep, wake: Wake) -> Response:
    typed = {name: str(text) for name, text in form.items()}
    try:
        with database.writing() as session:
            run = _create(session, settings, typed)
    except Invalid as invalid:
        with database.reading() as session:
            source = session.get(Run, int(typed["clone"])) if typed.get("clone", "").isdecimal() else None
            return _form(request, session, settings, typed, source=source, errors=invalid.errors)
    assert run.id is not None
    return RedirectResponse(f"/runs/{run.id}{'' if wake(run.id) else UNREACHABLE}", status_code=303)


def _create(session: Session, settings: Settings, typed: Mapping[str, str]) -> Run:
    errors = launch_view.complaints(typed)
    if not typed.get("experiment", "").strip():
        errors = [FieldError("experiment", "This is needed"), *errors]
    if errors:
        raise Invalid(errors)
    return runs.create_run(
        session,
        settings,
        experiment=typed["experiment"],
        config=run_config.parse(forms.read(typed), strict=False),
        name=typed.get("name"),
        notes=typed.get("notes", "").replace("\r\n", "\n"),
        tags=typed.get("tags", "").split(","),
    )


def _preset(name: str | None) -> Preset:
    """The one of that name, else the first."""
    return next((preset for preset in presets.PRESETS if preset.name == name), presets.PRESETS[0])


def _start(session: Session, source: Run | None, preset: Preset | None) -> dict[str, str]:
    """What the form holds before anything is typed."""
    datasets = _datasets(session)
    typed = forms.defaults() | {"data.dataset": str(datasets[0].id) if datasets else ""}
    if preset:
        typed |= {name: forms.text_of(value) for name, value in preset.values.items()}
    if source:
        typed |= forms.texts(source.config) | {"tags": ", ".join(source.tags)}
    return typed | {"experiment": _experiment_name(session, source)}


def _experiment_name(session: Session, source: Run | None) -> str:
    """The clone's experiment, else the one that was worked on last."""
    latest = source or session.exec(select(Run).order_by(col(Run.id).desc()).limit(1)).first()
    return experiments.get_experiment(session, latest.experiment_id).name if latest else ""


def _settings_in(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name in forms.CONTROLS}


def _datasets(session: Session) -> Sequence[Dataset]:
    return session.exec(select(Dataset).order_by(col(Dataset.id).desc())).all()


def _panel(session: Session, settings: Settings, typed: Mapping[str, str], source: Run | None) -> dict[str, Any]:
    folder = base_models.folder(settings, typed.get("model.base_model", ""))
    return {
        "facts": launch_summary.facts(session, settings, typed, model_shape.read(folder) if folder else None),
        "differing": launch_view.differing(typed, forms.texts(source.config) if source else forms.defaults()),
        "source": source,
        "labels": launch_view.LABELS,
    }


def _form(
    request: Request,
    session: Session,
    settings: Settings,
    typed: Mapping[str, str],
    *,
    source: Run | None,
    preset: Preset | None = None,
    errors: Sequence[FieldError] = (),
) -> HTMLResponse:
    datasets = _datasets(session)
    wrong = {error.field: error.message for error in errors}
    return page(
        request,
        "runs/new.html",
        **_panel(session, settings, typed, source),
        status_code=Invalid.status if errors else 200,
        typed={name: typed.get(name, "") for name in launch_view.OTHERS},
        groups=launch_view.groups(typed, wrong, datasets),
        errors=errors,
        wrong={name: wrong.get(name) for name in launch_view.OTHERS},
        dataset_texts=launch_view.dataset_texts(datasets),
        models=base_models.list_models(session, settings),
        experiments=[experiment.name for experiment in experiments.list_experiments(session)],
        said=launch_view.SAID,
        preset=preset,
        presets=presets.PRESETS,
        complaints=[],
    )
