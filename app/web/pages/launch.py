"""/runs/new: runs from a form, one or a study. What it posts goes the way of the API: parse, expand, store, wake."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session, col, select

from app import experiments, ids, run_config, runs, sweep
from app.db import MAX_ID
from app.errors import FieldError, Invalid
from app.launch import base_models, model_shape, presets, study_presets
from app.launch.presets import Preset
from app.models import Dataset, Run
from app.runs import NewRun
from app.settings import Settings
from app.sweep import AXES, Variant
from app.web import forms, launch_plan, launch_summary, launch_view, study_form, turns
from app.web.deps import DatabaseDep, Reading, SettingsDep, Wake
from app.web.memory_bar import memory_bar
from app.web.security import PageForm
from app.web.templating import page

router = APIRouter(prefix="/runs/new", include_in_schema=False)

# Tells the run's page that nobody could be woken.
UNREACHABLE = "?queue=unreachable"

# What an address may say of the form: /runs/new?lora.r=4&axes.lora.r=4,16
ADDRESSED = {*forms.CONTROLS, *(AXES + name for name in forms.CONTROLS), *study_form.FIELDS}

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
    return page(request, "runs/_launch_facts.html", **panel, complaints=panel["plan"].errors)


async def _turn(request: Request, form: PageForm) -> AsyncIterator[None]:
    """To write; what scripts show while somebody types is only read."""
    async with nullcontext() if form.get("preview") else turns.taken(request):
        yield


@router.post("", dependencies=[Depends(_turn, scope="function")])
def launch(request: Request, form: PageForm, database: DatabaseDep, settings: SettingsDep, wake: Wake) -> Response:
    typed = {name: str(text) for name, text in form.items()}
    if typed.get("preview"):  # what scripts show while it is typed
        with database.reading() as session:
            return _form(request, session, settings, typed, source=_source(session, typed))
    try:
        with database.writing() as session:
            made = _create(session, settings, typed)
            where = f"/runs/{made[0].id}" if len(made) == 1 else f"/experiments/{made[0].experiment_id}"
            ids = [run.id or 0 for run in made]
    except Invalid as invalid:
        errors = launch_plan.beside_fields(invalid.errors)
        with database.reading() as session:
            return _form(request, session, settings, typed, source=_source(session, typed), errors=errors)
    up = all(wake(run_id) for run_id in ids)  # where one finds nobody, so would the others
    return RedirectResponse(where if up else where + UNREACHABLE, status_code=303)


def _source(session: Session, typed: Mapping[str, str]) -> Run | None:
    clone = ids.parse(typed.get("clone", ""))
    return session.get(Run, clone) if clone is not None else None


def _create(session: Session, settings: Settings, typed: Mapping[str, str]) -> Sequence[Run]:
    errors = launch_view.complaints(typed)
    if not typed.get("experiment", "").strip():
        errors = [FieldError("experiment", "This is needed"), *errors]
    if errors:
        raise Invalid(errors)
    config = run_config.parse(forms.read(study_form.settings_only(typed)), strict=False)
    variants = launch_plan.variants(typed, config)
    source = _source(session, typed)
    return runs.create_runs(
        session,
        settings,
        experiment=typed["experiment"],
        new=[_new_run(variant, typed) for variant in variants],
        cloned_from=source.id if source else None,
        sweep=sweep.record(variants, study_form.Study.of(typed).made_by),
    )


def _new_run(variant: Variant, typed: Mapping[str, str]) -> NewRun:
    """What was typed of the launch goes for each of its runs; several are told apart by what they differ in."""
    new = NewRun.of(variant, typed.get("tags", "").split(","))
    name = ": ".join(part for part in (typed.get("name", "").strip(), variant.name) if part)
    return replace(new, name=name, notes=variant.notes or typed.get("notes", "").replace("\r\n", "\n"))


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
    if preset and preset.study:
        typed |= {study_form.RUNS: _reference(typed, preset.study)}
    return typed | {"experiment": _experiment_name(session, source), study_form.LINKED: "true"}


def _reference(typed: Mapping[str, str], learning_rate_factor: float) -> str:
    """The reference study as lines of the form; its data set may still have to be chosen."""
    config = run_config.parse(forms.read({**typed, "data.dataset": "1"}), strict=False)
    study = study_presets.reference_study(config, learning_rate_factor)
    return study_form.write_runs(study, run_config.flatten(config.model_dump()))


def _experiment_name(session: Session, source: Run | None) -> str:
    """The clone's experiment, else the one that was worked on last."""
    latest = source or session.exec(select(Run).order_by(col(Run.id).desc()).limit(1)).first()
    return experiments.get_experiment(session, latest.experiment_id).name if latest else ""


def _settings_in(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name in ADDRESSED}


def _datasets(session: Session) -> Sequence[Dataset]:
    return session.exec(select(Dataset).order_by(col(Dataset.id).desc())).all()


def _panel(session: Session, settings: Settings, typed: Mapping[str, str], source: Run | None) -> dict[str, Any]:
    folder = base_models.folder(settings, typed.get("model.base_model", ""))
    plan = launch_plan.plan(session, settings, typed)
    return {
        "facts": launch_summary.facts(session, settings, typed, model_shape.read(folder) if folder else None),
        "plan": plan,
        "memory_bar": memory_bar(plan.memory) if plan.memory else None,
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
    panel = _panel(session, settings, typed, source)
    wrong = {error.field: error.message for error in errors}
    return page(
        request,
        "runs/new.html",
        **panel,
        status_code=Invalid.status if errors else 200,
        typed={name: typed.get(name, "") for name in (*launch_view.OTHERS, *study_form.FIELDS)},
        groups=launch_view.groups(typed, wrong, datasets),
        errors=errors,
        wrong={name: wrong.get(name) for name in (*launch_view.OTHERS, *study_form.FIELDS)},
        methods=study_form.METHODS,
        kept={name: typed.get(name, "") for name in ("model.base_model", "data.dataset")},
        dataset_texts=launch_view.dataset_texts(datasets),
        models=base_models.list_models(session, settings),
        experiments=[experiment.name for experiment in experiments.list_experiments(session)],
        said=launch_view.SAID,
        preset=preset,
        presets=presets.PRESETS,
        complaints=_complaints(panel["plan"].errors, typed) if not errors else [],
    )


def _complaints(found: Sequence[FieldError], typed: Mapping[str, str]) -> list[FieldError]:
    """A new form is not wrong yet; what came with its address may be, and a preview says all."""
    return [error for error in found if typed.get("preview") or error.field in ADDRESSED - set(forms.CONTROLS)]
