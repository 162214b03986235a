"""The `tuneboard` command. Options are the settings' own names and descriptions, and win over the environment.

Exit status: 0 done, 1 it did not work (one line says why), 2 wrong usage or a setting that is not allowed,
130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from app import __version__
from app.errors import TuneboardError
from app.settings import Settings
from app.terminal import commands

# Never an option: everybody on the machine can read a command line.
ONLY_IN_ENVIRONMENT = frozenset({"token"})
UP_OPTIONS = tuple(name for name in Settings.model_fields if name not in ONLY_IN_ENVIRONMENT)
SERVER_OPTIONS = tuple(name for name in UP_OPTIONS if name != "workers")
CLIENT_OPTIONS = ("host", "port")
FOLDER_OPTIONS = ("data_dir", "database_url")

Command = Callable[[Settings, argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    _to_environment(arguments)
    try:
        settings = Settings()
        command: Command = arguments.command
        return command(settings, arguments)
    except ValidationError as error:
        return _fail(_wrong_settings(error), 2)
    except TuneboardError as error:
        return _fail([str(error)], 1)
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="tuneboard",
        description="Launch LoRA fine-tuning runs and compare them, on your own machine.",
        epilog=_environment_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"tuneboard {__version__}")
    subs = top.add_subparsers(metavar="COMMAND", required=True)
    _add(subs, "up", commands.up, "start broker, workers and web, and keep them running", UP_OPTIONS)
    _add(subs, "web", commands.web, "start the web server alone", SERVER_OPTIONS)
    _add(subs, "worker", commands.worker, "start a worker alone: one per GPU", SERVER_OPTIONS)
    _add_demo(subs)
    _add_backup(subs)
    _add_restore(subs)
    _add_launch(subs)
    _add_runs(subs)
    _add_show(subs)
    return top


def _add(
    subs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Command,
    help: str,
    options: Sequence[str],
) -> argparse.ArgumentParser:
    sub = subs.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    sub.set_defaults(command=command)
    for option in options:
        field = Settings.model_fields[option]
        sub.add_argument(_flag(option), dest=f"setting_{option}", metavar="VALUE", help=_option_help(option, field))
    return sub


def _add_demo(subs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    words = "run the reference study on the bundled sample, show it, and leave the dashboard up"
    demo = _add(subs, "demo", commands.demo, words, UP_OPTIONS)
    demo.add_argument("--exit", action="store_true", help="stop after the results; fails if a run did not complete")
    demo.add_argument("--fresh", action="store_true", help="launch the runs again, as a new experiment")


def _add_backup(subs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    words = "copy everything into one file, whether Tuneboard runs or not"
    backup = _add(subs, "backup", commands.backup, words, FOLDER_OPTIONS)
    where = "a new file, or a folder to make one in [backups in the data folder]"
    backup.add_argument("target", metavar="FILE|FOLDER", nargs="?", type=Path, help=where)
    backup.add_argument("--models", action="store_true", help="base models from the hub too; else they come again")


def _add_restore(subs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    words = "make an empty data folder what a backup was made of; runs that were under way go on"
    restore = _add(subs, "restore", commands.restore, words, FOLDER_OPTIONS)
    restore.add_argument("file", metavar="FILE", type=Path, help="what `tuneboard backup` made")


def _add_launch(subs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    launch = _add(subs, "launch", commands.launch, "queue a run on a running server", CLIENT_OPTIONS)
    launch.add_argument("file", metavar="CONFIG.json", help="the run's configuration; - reads standard input")
    launch.add_argument("--experiment", default="Command line", help="name; made if new [%(default)s]")
    launch.add_argument("--name", help="name of the run [made from its settings]")
    launch.add_argument("--notes", default="", help="free text")
    launch.add_argument("--tag", action="append", default=[], dest="tags", help="may be given several times")
    _add_json(launch)


def _add_runs(subs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    runs = _add(subs, "runs", commands.runs, "list the runs of a running server, newest first", CLIENT_OPTIONS)
    runs.add_argument("--experiment", help="only those of this experiment (id)")
    runs.add_argument("--status", help="only those in this state")
    runs.add_argument("--limit", type=int, default=20, help="at most so many [%(default)s]")
    _add_json(runs)


def _add_show(subs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    show = _add(subs, "show", commands.show, "show a run of a running server", CLIENT_OPTIONS)
    show.add_argument("run", type=int, metavar="RUN", help="its id")
    _add_json(show)


def _add_json(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--json", action="store_true", help="print the API's answer instead of a table")


def _to_environment(arguments: argparse.Namespace) -> None:
    """Options become the environment: this process and every one that it starts read the settings from there."""
    for name in UP_OPTIONS:
        value = getattr(arguments, f"setting_{name}", None)
        if value is not None:
            os.environ[_variable(name)] = value


def _variable(name: str) -> str:
    return f"TUNEBOARD_{name.upper()}"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _option_help(name: str, field: FieldInfo) -> str:
    default = f"{field.default}; " if str(field.default) else ""
    return f"{field.description} [{default}{_variable(name)}]".replace("%", "%%")


def _environment_help() -> str:
    width = max(len(_variable(name)) for name in Settings.model_fields)
    lines = [f"  {_variable(name):<{width}}  {field.description}" for name, field in Settings.model_fields.items()]
    lines.append(f"  {'HF_TOKEN':<{width}}  For private base models of the hub; given to the download alone.")
    return "\n".join(["environment (an option of the same name wins):", *lines])


def _wrong_settings(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        name = str(problem["loc"][0])
        option = "" if name in ONLY_IN_ENVIRONMENT else f" or {_flag(name)}"
        lines.append(f"{_variable(name)}{option}: {problem['msg'].removeprefix('Value error, ')}")
    return lines


def _fail(lines: Sequence[str], status: int) -> int:
    for line in lines:
        sys.stderr.write(f"tuneboard: {line}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
