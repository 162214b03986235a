"""schemathesis over a web process: every operation of its own /openapi.json, each answer held against that document."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "use_after_free",
    "ensure_resource_availability",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)
# A valid document may still name a data set that is not there or a model that cannot be trained: 422, never 400 or 5xx.
ACCEPTED = ["2xx", "404", "409", "413", "415", "422"]
STREAMS = ["/api/v1/events", "/api/v1/runs/{run_id}/events"]
OPERATIONS = [
    # They end when the reader has enough.
    {"include-path": STREAMS, "request-timeout": 0.3},
    # No worker is there: its 503 says so.
    {
        "include-path": "/readyz",
        "checks": {
            "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]},
            "positive_data_acceptance": {"enabled": False},
        },
    },
    # PATCH /runs/bulk is PATCH of a run of no such id.
    {
        "include-path": "/api/v1/runs/bulk",
        "checks": {"unsupported_method": {"enabled": False}, "allow_header_conformance": {"enabled": False}},
    },
]
DATASET, MODEL = 1, "sample/clinic-2m"


@dataclass
class Found:
    """`faults` has one line for each operation and check that failed, with the call that repeats it."""

    operations: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    faults: dict[tuple[str, str], str] = field(default_factory=dict)

    def __str__(self) -> str:
        statuses = ", ".join(f"{status}: {number}" for status, number in sorted(self.answers.items()))
        return (
            f"{len(self.operations)} operations, {self.answers.total()} calls {dict(self.phases)}, answers {statuses}"
        )

    def add(self, phase: str, recorder: ScenarioRecorder) -> None:
        for case_id, interaction in recorder.interactions.items():
            if case_id in recorder.cases:
                self.operations.add(recorder.cases[case_id].value.operation.label)
            if interaction.response is not None:
                self.answers[interaction.response.status_code] += 1
                self.phases[phase] += 1
        for checks in recorder.checks.values():
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    key = (failure.operation or recorder.label, check.name)
                    self.faults.setdefault(key, f"{failure}\n{check.failure_info.code_sample}"[:2000])


def fuzz(address: str, *, seed: int, examples: int, stateful: int) -> Found:
    """The same calls for the same seed: every edge of the document once, then `examples` of each operation, then
    `stateful` walks along its links (what one call made, another shows, changes, cancels and deletes)."""
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json", config=_config(seed, examples, stateful))
    schema.hook("map_body")(_possible)
    schema.hook("filter_failure")(_is_real)
    found = Found()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            found.add(event.phase.value, event.recorder)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.faults[str(getattr(event, "label", "")), "error"] = str(getattr(event, "info", event))[:2000]
    return found


def _config(seed: int, examples: int, stateful: int) -> SchemathesisConfig:
    enabled = {name: {"enabled": True} for name in CHECKS}
    enabled["positive_data_acceptance"] = {"enabled": True, "expected-statuses": ACCEPTED}
    generation = {"max-examples": examples, "no-shrink": True, "database": "none"}
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "request-timeout": 20,
            "max-stream-events": 2,
            "continue-on-failure": True,
            "generation": generation,
            "phases": {"stateful": {"generation": {**generation, "max-examples": stateful}}},
            "checks": {"enabled": False, **enabled},
            "operations": OPERATIONS,
        }
    )


def _is_real(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """In an address, one name and a list of one name are the same: no violation of the document was sent."""
    return "parameter `name` in query" not in failure.message


def _possible(context: Any, body: Any) -> Any:
    """A configuration that is in order names a data set and a model that exist: else no launch would get further."""
    config = body.get("config") if isinstance(body, Mapping) else None
    if not isinstance(config, Mapping):
        return body
    data, model = config.get("data"), config.get("model")
    if not isinstance(data, Mapping) or not isinstance(model, Mapping):
        return body
    if type(data.get("dataset")) is not int or not 1 <= data["dataset"] < 2**63:
        return body
    if not isinstance(model.get("base_model"), str) or not 1 <= len(model["base_model"]) <= 500:
        return body
    known = {"data": {**data, "dataset": DATASET}, "model": {**model, "base_model": MODEL}}
    return {**body, "config": {**config, **known}}
