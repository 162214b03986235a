"""The API from its own document, odd values for every call and form: no answer is a fault, each is as documented.

A trial is one seed of each on a day's work, in a web process of its own whose broker is away.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import httpx

from app.settings import Settings
from tests.browser.seed import seed as fill
from tests.chaos.trial import Outcome, Seed, Trial
from tests.web.fuzz import api, forms, odd_api
from tests.web.process import Web, web

EXAMPLES, WALKS = 40, 100
ODD_CALLS, ODD_FORMS = 2000, 600


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    fill(Settings(data_dir=folder / "filled"))
    yield lambda seed: _trial(folder, seed)


def _trial(folder: Path, seed: Seed) -> Outcome:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(folder / "filled", data)
    (folder / "web.log").unlink(missing_ok=True)
    with web(data, folder / "web.log") as served:
        found = api.fuzz(served.address, seed=seed.getrandbits(32), examples=EXAMPLES, stateful=WALKS)
        violations = [f"{operation}, {check}: {fault}" for (operation, check), fault in found.faults.items()]
        violations += _odd_calls(served, seed) + _odd_forms(served, seed) + served.faults()
    with closing(sqlite3.connect(data / "tuneboard.db")) as database:
        violations += [str(row) for row in database.execute("PRAGMA integrity_check") if row != ("ok",)]
        violations += [str(row) for row in database.execute("PRAGMA foreign_key_check")]
    return Outcome(violations, note=f"{found.answers.total()} calls, {ODD_CALLS} odd ones, {ODD_FORMS} odd forms")


def _odd_calls(served: Web, seed: Seed) -> list[str]:
    violations = []
    with httpx.Client(base_url=served.address, timeout=30) as client:
        document = client.get("/openapi.json").json()
        for _ in range(ODD_CALLS):
            request = odd_api.odd_request(document, Random(number := seed.getrandbits(32)))
            answer = request.send(client)
            if answer.status_code >= 500 and request.path != "/readyz":
                violations.append(f"{answer.status_code} for the odd call {number}: {str(request)[:300]}")
    return violations


def _odd_forms(served: Web, seed: Seed) -> list[str]:
    violations = []
    with httpx.Client(base_url=served.address, timeout=30) as client:
        found = list(forms.crawl(client))
        for _ in range(ODD_FORMS):
            random = Random(number := seed.getrandbits(32))
            form = forms.choose(found, random)
            answer = forms.send(client, form, random)
            if answer.status_code >= 500:
                violations.append(f"{answer.status_code} for the odd form {number}: {form.action}")
    return violations
