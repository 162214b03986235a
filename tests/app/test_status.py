from app.status import ENDED, TRANSITIONS, RunStatus


def test_every_state_has_its_ways_out() -> None:
    assert set(TRANSITIONS) == set(RunStatus)


def test_a_completed_run_stays_completed() -> None:
    assert not TRANSITIONS[RunStatus.COMPLETED]


def test_only_a_running_run_completes_or_fails() -> None:
    for end in (RunStatus.COMPLETED, RunStatus.FAILED):
        assert [s for s, to in TRANSITIONS.items() if end in to] == [RunStatus.RUNNING]


def test_every_ending_but_completed_can_be_retried() -> None:
    assert {s for s in ENDED if RunStatus.QUEUED in TRANSITIONS[s]} == ENDED - {RunStatus.COMPLETED}
