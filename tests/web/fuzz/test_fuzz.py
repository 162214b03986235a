"""No request makes the web fail, and every answer is what /openapi.json says: the quick share of `make chaos`'s `fuzz`.

The seeds are fixed, so that a red test stays red until it is mended.
"""

from collections import Counter
from random import Random

import httpx

from tests.web.fuzz import api, forms, odd_api
from tests.web.process import Web

EXAMPLES, WALKS = 10, 40
ODD_CALLS, ODD_FORMS = 900, 400


def test_every_operation_answers_as_documented(served: Web) -> None:
    found = api.fuzz(served.address, seed=1, examples=EXAMPLES, stateful=WALKS)
    print(found)
    assert not found.faults, "\n\n".join(f"{key}: {fault}" for key, fault in found.faults.items())
    assert not served.faults()
    document = httpx.get(f"{served.address}/openapi.json").json()
    assert len(found.operations) == sum(map(len, document["paths"].values()))
    assert {200, 201, 202, 204, 404, 409, 415, 422} <= found.answers.keys()


def test_odd_values_are_refused_and_never_a_fault(served: Web, http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    answers = Counter[int]()
    for seed in range(ODD_CALLS):
        request = odd_api.odd_request(document, Random(seed))
        answer = request.send(http)
        answers[answer.status_code] += 1
        is_ready = request.path == "/readyz"  # its 503 says what is missing
        assert answer.status_code < 500 or (is_ready and answer.status_code == 503), f"seed {seed}: {request}"
        if answer.status_code >= 400 and not is_ready:
            assert answer.headers["content-type"] == "application/problem+json", f"seed {seed}: {request}"
    print(dict(answers))
    assert not served.faults()
    assert {200, 201, 404, 422} <= answers.keys()
    _all_can_be_shown(http)
    assert not served.faults()


def _all_can_be_shown(http: httpx.Client) -> None:
    """A value that was accepted must not break the pages and lists it stands in."""
    pages = ["/", "/queue", "/experiments", "/datasets", "/runs/new", "/imports/new"]
    pages += [f"/api/v1/{name}?limit=1000" for name in ("queue", "datasets", "leaderboard", "models")]
    pages += [f"/runs/{run['id']}" for run in http.get("/api/v1/runs?limit=1000").json()["items"]]
    pages += [f"/experiments/{item['id']}/report" for item in http.get("/api/v1/experiments").json()["items"]]
    assert dict.fromkeys(pages, 200) == {page: http.get(page).status_code for page in pages}


def test_odd_forms_are_refused_and_never_a_fault(served: Web, http: httpx.Client) -> None:
    found = list(forms.crawl(http))
    answers = Counter[int]()
    for seed in range(ODD_FORMS):
        random = Random(seed)
        form = forms.choose(found, random)
        answer = forms.send(http, form, random)
        answers[answer.status_code] += 1
        assert answer.status_code < 500, f"seed {seed}: {form.action}"
    print(f"{len(found)} forms, {dict(answers)}")
    assert not served.faults()
    assert {form.action for form in found} >= {"/runs/new", "/imports/new", "/datasets", "/experiments", "/runs/9/edit"}
    assert {200, 303, 400, 403, 422} <= answers.keys()
