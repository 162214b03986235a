import signal

import pytest

from worker.protocol import Downloaded, Exit, Failure, Result
from worker.verdict import Completed, Failed, Stop, Stopped, judge

RESULT = Result(results={}, resources={})
FAILURE = Failure(code="nan_loss", title="t", detail="d", hint="h")


@pytest.mark.parametrize("said", [RESULT, Downloaded(path="p", commit="c")])
def test_an_answer_and_a_good_exit_are_a_completion_even_while_it_was_asked_to_stop(said: Result | Downloaded) -> None:
    assert judge(Exit.DONE, said, None) == judge(Exit.DONE, said, Stop.SHUTDOWN) == Completed(said)


def test_a_reported_failure_is_final() -> None:
    verdict = judge(Exit.FAILED, FAILURE, None)
    assert isinstance(verdict, Failed)
    assert verdict.error.to_json() == FAILURE.model_dump(exclude={"event"})


@pytest.mark.parametrize("code", [Exit.STOPPED, -signal.SIGTERM, -signal.SIGKILL, 1])
@pytest.mark.parametrize("stop", [Stop.CANCEL, Stop.SHUTDOWN])
def test_whatever_ends_after_a_request_to_stop_was_stopped(code: int, stop: Stop) -> None:
    assert isinstance(judge(code, None, stop), Stopped)


def test_a_stop_that_somebody_else_asked_for_is_no_death() -> None:
    verdict = judge(Exit.STOPPED, None, None)
    assert isinstance(verdict, Stopped)
    assert verdict.cause == "stopped"


def test_a_child_that_was_killed_for_its_silence_hung() -> None:
    verdict = judge(-signal.SIGKILL, None, Stop.SILENCE)
    assert isinstance(verdict, Failed)
    assert verdict.error.code == "hung"


def test_a_kill_while_memory_was_short_is_no_riddle_but_other_deaths_are_what_they_are() -> None:
    codes = [
        verdict.error.code
        for code in (-signal.SIGKILL, -signal.SIGSEGV, 1)
        if isinstance(verdict := judge(code, None, None, memory_was_short=True), Failed)
    ]
    assert codes == ["host_out_of_memory", "crashed", "crashed"]


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (-signal.SIGKILL, "killed", "SIGKILL"),
        (-signal.SIGTERM, "killed", "SIGTERM"),
        (-signal.SIGSEGV, "crashed", "SIGSEGV"),
        (-60, "killed", "60"),
        (1, "crashed", "exit code 1"),
        (Exit.DONE, "crashed", "exit code 0"),
        (Exit.ORPHANED, "crashed", "exit code 3"),
        (Exit.LOCKED, "lock_held", "Another process"),
    ],
)
def test_everything_else_is_a_death_with_its_cause(code: int, kind: str, said: str) -> None:
    verdict = judge(code, None, None)
    assert isinstance(verdict, Failed)
    assert verdict.error.code == kind
    assert said in verdict.error.title + verdict.error.detail
    assert all(text.endswith(".") for text in (verdict.error.detail, verdict.error.hint))


def test_a_result_without_a_good_exit_is_not_believed() -> None:
    assert isinstance(judge(-signal.SIGSEGV, RESULT, None), Failed)
