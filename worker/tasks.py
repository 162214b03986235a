"""The Celery task: claim -> train in a child process -> complete, fail, cancel or queue again.

The only place where queue, database and training meet. A message only wakes the task: what it does is in the rows,
so a duplicate finds nothing to do and a lost one is sent again by the sweeper.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from celery import Celery
from sqlalchemy.exc import OperationalError

from app import claims
from app.claims import Claim, ClaimLost
from app.errors import Invalid, RunError, TuneboardError
from app.launch import base_models
from app.models import Run
from app.processes import hold_lock
from app.queue import WAKE
from app.status import RunStatus
from worker import artifacts, causes, job
from worker.child import Child, download_environment, training_environment
from worker.context import Context
from worker.follow import follow
from worker.job import Job
from worker.protocol import Downloaded, Result
from worker.recorder import Recorder
from worker.run_log import RunLog
from worker.storage import insist, is_full
from worker.verdict import DISK_FULL, Completed, Failed, Stopped, Verdict, is_disk_full

log = logging.getLogger(__name__)


def register(app: Celery, context: Context) -> None:
    @app.task(name=WAKE, ignore_result=True)  # type: ignore[untyped-decorator]
    def wake(run_id: int) -> None:  # noqa: ARG001 - a hint: the claim takes whatever is first in the queue
        work(context)


def work(context: Context) -> None:
    """Take queued runs, one after another, until none is due or the worker is to stop."""
    context.busy = True
    context.wakes += 1
    try:
        while _work_on_first(context):
            pass
    finally:
        context.busy = False


def _work_on_first(context: Context) -> bool:
    """One attempt, when the device is ours; False where nothing is due or the worker is to stop."""
    with context.device.place() as reached:
        reached()
        if context.stopping.is_set():
            return False
        claim = insist(context, lambda session: claims.claim(session, context.name, context.new_lease()))
        if claim:
            _attempt(context, claim)
        return claim is not None


def _attempt(context: Context, claim: Claim) -> None:
    """One attempt, from claim to end. Nothing that goes wrong in it leaves the run `running` or ends the worker."""
    log.info("run %d: attempt %d begins", claim.run_id, claim.attempt)
    context.claim = claim
    try:
        status = _train(context, claim)
        log.info("run %d: attempt %d ends, the run is %s", claim.run_id, claim.attempt, status)
    except ClaimLost as lost:
        log.warning("%s: its child was ended and nothing more is written", lost)
    except Exception as error:
        log.exception("run %d: failed unexpectedly", claim.run_id)
        failure = _unexpected(error)
        with suppress(ClaimLost):
            insist(context, lambda session: causes.end(session, claim, failure, context.settings))
    finally:
        context.claim = None
        context.spares.want()


def _train(context: Context, claim: Claim) -> RunStatus:
    run_dir = context.settings.run_dir(claim.run_id)
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        with RunLog(run_dir) as run_log:
            run_log.write(f"Attempt {claim.attempt} begins on {context.name}")
            run = insist(context, lambda session: session.get_one(Run, claim.run_id))
            recorder = Recorder(context, claim, run, run_log)
            verdict = _verdict(context, claim, recorder)
            with _undisturbed(run_dir):
                insist(context, recorder.write)
                with suppress(OSError):  # a full disk: how it ended stands in the row too
                    run_log.write(*_last_line(verdict))
                return _conclude(context, claim, run_dir, verdict)
    except OSError as error:
        if not is_disk_full(error):
            raise
    except OperationalError as error:
        if not is_full(error):
            raise
    return insist(context, lambda session: claims.fail(session, claim, DISK_FULL))


@contextmanager
def _undisturbed(run_dir: Path) -> Iterator[None]:
    """Hold the run's lock, as its child did: while its end waits for the database nobody may take it for abandoned."""
    lock = hold_lock(run_dir / "lock")
    if lock:
        job.tidy(run_dir)
    try:
        yield
    finally:
        if lock:
            lock.close()


def _verdict(context: Context, claim: Claim, recorder: Recorder) -> Verdict:
    try:
        task = _prepare(context, claim)
        model = task.config.model
        located = base_models.resolve(context.settings, model.base_model, model.revision)
    except TuneboardError as error:
        return Failed(_refused(error))
    insist(context, lambda session: recorder.resume(session, task.run_dir))
    local = None if located.kind == "hub" else located.folder
    return _run_children(context, claim, recorder, task, local)


def _prepare(context: Context, claim: Claim) -> Job:
    task = insist(context, lambda session: job.load(session, context.settings, session.get_one(Run, claim.run_id)))
    if not task.resume:
        job.clear(task)
        insist(context, lambda session: claims.start_fresh(session, claim))
    job.write_config(task)
    return task


def _run_children(context: Context, claim: Claim, recorder: Recorder, task: Job, model: Path | None) -> Verdict:
    """The download, where the base model comes from the hub, then the training."""
    commit = None
    if model is None:
        command, environment = job.download_command(task), download_environment()
        download = partial(Child.start, command, environment=environment, output=task.output)
        verdict = follow(context, claim, recorder, download)
        if not isinstance(verdict, Completed):
            return verdict
        assert isinstance(verdict.answer, Downloaded)
        model, commit = Path(verdict.answer.path), verdict.answer.commit
    start = partial(_training, context, job.training_command(task, model, commit), task.output)
    return follow(context, claim, recorder, start, silence=context.settings.silence_seconds)


def _training(context: Context, command: list[str], output: Path) -> Child:
    """One that has its libraries loaded, where there is such; else one that loads them."""
    begun = context.spares.begin(command[len(job.TRAINING) :], output, context.stopping)
    return begun or Child.start(command, environment=training_environment(), output=output)


def _conclude(context: Context, claim: Claim, run_dir: Path, verdict: Verdict) -> RunStatus:
    match verdict:
        case Completed(answer=Result() as result):
            artifacts.publish(run_dir)
            return insist(context, lambda s: claims.complete(s, claim, result.results, result.resources))
        case Failed(error=error):
            return insist(context, lambda s: causes.end(s, claim, error, context.settings))
        case Stopped(reason=reason, cause=cause):
            return insist(context, lambda s: claims.requeue(s, claim, reason, cause))
        case Completed():
            raise AssertionError("a download is not the end of an attempt")


def _last_line(verdict: Verdict) -> tuple[str, str]:
    match verdict:
        case Completed():
            return "Completed", "info"
        case Stopped(reason=reason):
            return reason, "info"
        case Failed(error=error):
            return f"{error.title}. {error.detail} {error.hint}", "error"


def _refused(error: TuneboardError) -> RunError:
    """What was right at launch and is no longer: a folder or a data set that is gone."""
    missing_model = isinstance(error, Invalid) and error.errors[0].field == base_models.FIELD
    return RunError(
        "model_not_found" if missing_model else "invalid",
        error.title,
        str(error),
        "Put it back and retry, or clone the run and correct this.",
    )


def _unexpected(error: Exception) -> RunError:
    return RunError(
        "io_error" if isinstance(error, OSError) else "unexpected",
        "Something unexpected went wrong in the worker",
        f"{type(error).__name__}; the worker's own log has the details.",
        "Retry. If it happens again, report it with the lines from the worker's log.",
    )
