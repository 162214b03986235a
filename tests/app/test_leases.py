import time

from app import leases
from app.leases import Lease, holds, lease


def test_a_lease_holds_until_its_time_is_over() -> None:
    assert lease(60).holds
    assert not lease(-0.001).holds


def test_a_lease_of_another_boot_is_over_whatever_its_number() -> None:
    assert not Lease("another boot", time.monotonic() + 60).holds


def test_a_lease_that_was_never_given_does_not_hold() -> None:
    assert not holds(None, None)
    assert holds(leases.boot(), time.monotonic() + 60)


def test_the_date_has_no_say(monkeypatch) -> None:
    given = lease(60)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert given.holds
