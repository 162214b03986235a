"""docker-compose.yml and the Dockerfiles, read and held against the tree: no engine is needed to find a wrong step."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli import parser
from app.settings import ROOT, Settings

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "CMD"}


def steps(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, rest) of each step, continued lines joined and comments left out."""
    text = re.sub(r"\\\n\s*", "", dockerfile.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def copies(dockerfile: Path, stage: int = -1) -> list[tuple[list[str], str]]:
    """What the COPY steps of a stage bring from the tree, and where to."""
    stages: list[list[tuple[list[str], str]]] = []
    for word, rest in steps(dockerfile):
        if word == "FROM":
            stages.append([])
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            stages[-1].append((sources, target))
    return stages[stage]


def run_lines(dockerfile: Path) -> str:
    return "\n".join(rest for word, rest in steps(dockerfile) if word == "RUN")


def dockerfile_of(service: str) -> Path:
    return ROOT / str(SERVICES[service]["build"]["dockerfile"])


def variables(service: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[service]["environment"]
    return found


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_every_step_is_an_instruction(dockerfile: Path) -> None:
    assert {word for word, _ in steps(dockerfile)} <= INSTRUCTIONS
    assert steps(dockerfile)[0][0] == "FROM"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_everything_copied_exists_and_is_sent_to_the_engine(dockerfile: Path) -> None:
    ignored = {line.strip().rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.strip()}
    stages = sum(word == "FROM" for word, _ in steps(dockerfile))
    for sources, _ in (copy for stage in range(stages) for copy in copies(dockerfile, stage)):
        for source in sources:
            assert (ROOT / source).exists(), source
            assert source not in ignored


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_a_stage_that_is_copied_from_is_there(dockerfile: Path) -> None:
    names = [rest.split(" AS ")[1] for word, rest in steps(dockerfile) if word == "FROM" and " AS " in rest]
    for word, rest in steps(dockerfile):
        if word == "COPY" and rest.startswith("--from="):
            stage = rest.removeprefix("--from=").split()[0]
            assert stage in names


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_what_is_installed_is_what_was_tested(dockerfile: Path) -> None:
    for install in re.findall(r"pip install[^&]*", run_lines(dockerfile)):
        assert "--constraint constraints.txt" in install


@pytest.mark.parametrize(("service", "packages"), [("web", {"app"}), ("worker", {"app", "worker"})])
def test_an_image_has_the_code_that_it_runs(service: str, packages: set[str]) -> None:
    copied = {source for sources, _ in copies(dockerfile_of(service)) for source in sources}
    assert packages | {"migrations", "samples", "pyproject.toml", "README.md", "constraints.txt"} <= copied
    assert ("templates" in copied) == (service == "web")


def test_the_web_image_has_no_torch() -> None:
    assert "torch" not in run_lines(dockerfile_of("web"))
    assert "[" not in "".join(re.findall(r"--editable (\S+)", run_lines(dockerfile_of("web"))))


def test_the_worker_image_has_the_torch_of_the_project() -> None:
    pinned = re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    assert pinned.group() in run_lines(dockerfile_of("worker"))
    assert "'.[worker]'" in run_lines(dockerfile_of("worker"))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_an_image_starts_a_command_that_there_is(dockerfile: Path) -> None:
    program, *arguments = json.loads(dict(steps(dockerfile))["CMD"])
    assert program == "tuneboard"
    assert parser().parse_args(arguments).command


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_an_image_does_not_run_as_root(dockerfile: Path) -> None:
    assert dict(steps(dockerfile))["USER"] == "tuneboard"
    assert "useradd" in run_lines(dockerfile)


def test_there_are_three_services_and_each_says_whether_it_is_well() -> None:
    assert set(SERVICES) == {"web", "worker", "redis"}
    assert all("healthcheck" in service for service in SERVICES.values())


@pytest.mark.parametrize("service", ["web", "worker"])
def test_every_variable_is_a_setting(service: str) -> None:
    known = {f"TUNEBOARD_{name.upper()}" for name in Settings.model_fields} | {"HF_TOKEN"}
    assert set(variables(service)) <= known


def test_the_web_cannot_be_started_without_a_token() -> None:
    assert variables("web")["TUNEBOARD_TOKEN"].startswith("${TUNEBOARD_TOKEN:?")
    assert variables("web")["TUNEBOARD_HOST"] == "0.0.0.0"


def test_only_the_worker_gets_the_hub_token() -> None:
    assert "HF_TOKEN" in variables("worker")
    assert "HF_TOKEN" not in variables("web")


def test_both_share_the_broker_and_the_data() -> None:
    for service in ("web", "worker"):
        assert variables(service)["TUNEBOARD_REDIS_URL"] == "redis://redis:6379/0"
        mounts = dict(volume.split(":")[:2] for volume in SERVICES[service]["volumes"] if not volume.startswith("$"))
        assert mounts == {"data": variables(service)["TUNEBOARD_DATA_DIR"]}
    assert "data" in COMPOSE["volumes"]


def test_the_port_that_is_published_is_the_one_listened_on() -> None:
    address, outside, inside = SERVICES["web"]["ports"][0].split(":")
    assert (address, outside, inside) == ("127.0.0.1", "8000", variables("web")["TUNEBOARD_PORT"])
    assert dict(steps(dockerfile_of("web")))["EXPOSE"] == inside
    assert f":{inside}/healthz" in SERVICES["web"]["healthcheck"]["test"][-1]


def test_the_worker_has_a_gpu() -> None:
    device = SERVICES["worker"]["deploy"]["resources"]["reservations"]["devices"][0]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assigned = [rest for word, rest in steps(dockerfile_of("worker")) if word == "ENV"]
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in assigned


def test_who_waits_for_whom() -> None:
    assert set(SERVICES["web"]["depends_on"]) == {"redis"}
    assert set(SERVICES["worker"]["depends_on"]) == {"redis", "web"}  # the web makes the tables
