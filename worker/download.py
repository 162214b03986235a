"""Bring a base model from the hub. A process of its own, the only one that is given the hub token:

python -m worker.download MODEL --into DIR [--revision R] --report-fd N --parent-pid PID
"""

import argparse
import os
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo, RepoSibling

from app.processes import die_with
from worker.protocol import Downloaded, Event, Exit, Failure, Log
from worker.verdict import DISK_FULL, is_disk_full

# Weights that cannot run code when they are loaded, and what a tokenizer is made of; never *.py, *.bin or *.pt.
WANTED = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "*.tiktoken")
# A second copy of the weights in another layout.
UNWANTED = ("consolidated*", "*/*")
LARGE_BYTES = 50_000_000

Report = Callable[[Event], None]


class DownloadError(Exception):
    def __init__(self, code: str, title: str, detail: str, hint: str) -> None:
        super().__init__(title)
        self.failure = Failure(code=code, title=title, detail=detail, hint=hint)


def download(model: str, revision: str | None, into: Path, report: Report) -> Downloaded:
    """The model's folder and commit; raises DownloadError. Without a network an earlier download will do."""
    api = HfApi()
    try:
        info = api.model_info(model, revision=revision, files_metadata=True)
    except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise _not_there(model, revision, error) from None
    except (httpx2.HTTPError, OfflineModeIsEnabled, ConnectionError, TimeoutError) as error:
        return _earlier_download(model, revision, into, report, error)
    found = _fetch(model, info, into, report)
    _remember(model, revision, found.commit, into)
    return found


def _fetch(model: str, info: ModelInfo, into: Path, report: Report) -> Downloaded:
    files = [file for file in info.siblings or () if _is_wanted(file.rfilename)]
    if not any(file.rfilename.endswith(".safetensors") for file in files):
        raise DownloadError(
            "not_safetensors",
            "The base model is not in safetensors format",
            f"{model} has no safetensors file on the hub; older formats can run code when they are loaded.",
            "Pick another base model or a revision of this one that was converted.",
        )
    commit = str(info.sha)
    missing = [file for file in files if not _is_cached(model, file, commit, into)]
    _check_space(model, missing, into)
    try:
        for file in missing:
            if (file.size or 0) > LARGE_BYTES:
                report(Log(message=f"Downloading {file.rfilename} of {model} ({(file.size or 0) / 1e9:.1f} GB)"))
            hf_hub_download(model, file.rfilename, revision=commit, cache_dir=into)
    except GatedRepoError as error:
        raise _not_there(model, commit, error) from None
    except (httpx2.HTTPError, ConnectionError, TimeoutError, EntryNotFoundError) as error:
        raise _unreachable(model, error) from None
    return Downloaded(path=str(_snapshot(model, commit, into)), commit=commit)


def _is_wanted(name: str) -> bool:
    return any(fnmatch(name, p) for p in WANTED) and not any(fnmatch(name, p) for p in UNWANTED)


def _is_cached(model: str, file: RepoSibling, commit: str, into: Path) -> bool:
    """A file appears under its name only when it is whole."""
    return (_snapshot(model, commit, into) / file.rfilename).exists()


def _snapshot(model: str, commit: str, into: Path) -> Path:
    return _cache(model, into) / "snapshots" / commit


def _check_space(model: str, missing: list[RepoSibling], into: Path) -> None:
    needed = sum(file.size or 0 for file in missing)
    free = shutil.disk_usage(into).free
    if needed > free:
        raise DownloadError(
            "disk_full",
            "The base model does not fit on the disk",
            f"{model} takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free.",
            "Delete runs, data sets or base models that are no longer needed, then retry.",
        )


def _earlier_download(model: str, revision: str | None, into: Path, report: Report, error: Exception) -> Downloaded:
    """Without a network: what was downloaded whole before, which is when its name was written down."""
    ref = _ref(model, revision, into)
    commit = ref.read_text(encoding="utf-8") if ref.is_file() else ""
    folder = _snapshot(model, commit, into)
    if not commit or not folder.is_dir():
        raise _unreachable(model, error)
    report(Log(level="warning", message=f"The hub cannot be reached: using the copy of {model} at {commit}"))
    return Downloaded(path=str(folder), commit=commit)


def _remember(model: str, revision: str | None, commit: str, into: Path) -> None:
    """A branch or tag as the hub client itself keeps it."""
    ref = _ref(model, revision, into)
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit, encoding="utf-8")


def _ref(model: str, revision: str | None, into: Path) -> Path:
    return _cache(model, into) / "refs" / (revision or "main").replace("..", "")


def _cache(model: str, into: Path) -> Path:
    return into / f"models--{model.replace('/', '--')}"


def _not_there(model: str, revision: str | None, error: Exception) -> DownloadError:
    if isinstance(error, GatedRepoError):
        return DownloadError(
            "model_gated",
            "The base model is gated",
            f"The owner of {model} gives access on request only, and this worker has none.",
            "Accept the terms on the model's page, then start the worker with HF_TOKEN set to a token of that account.",
        )
    if isinstance(error, RevisionNotFoundError):
        return DownloadError(
            "model_not_found",
            "There is no such revision of the base model",
            f"{model} has no branch, tag or commit {revision}.",
            "Check model.revision; empty takes the main branch.",
        )
    return DownloadError(
        "model_not_found",
        "The base model was not found",
        f"The hub knows no public model {model}.",
        "Check the spelling (owner/name). For a private model start the worker with HF_TOKEN set.",
    )


def _unreachable(model: str, error: Exception) -> DownloadError:
    answer = (
        f"it answered {error.response.status_code}" if isinstance(error, HfHubHTTPError) else "there is no connection"
    )
    return DownloadError(
        "download_failed",
        "The base model could not be downloaded",
        f"The hub could not give {model}: {answer}.",
        "Check the network of the worker, then retry: what has arrived is kept. Or use a local folder as base model.",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Download a base model from the hub.")
    parser.add_argument("model")
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--revision")
    parser.add_argument("--report-fd", type=int, required=True)
    parser.add_argument("--parent-pid", type=int, required=True)
    options = parser.parse_args()
    die_with(options.parent_pid)
    with os.fdopen(options.report_fd, "w", encoding="utf-8", buffering=1) as pipe:

        def report(event: Event) -> None:
            pipe.write(event.model_dump_json() + "\n")

        options.into.mkdir(parents=True, exist_ok=True)
        try:
            report(download(options.model, options.revision, options.into, report))
        except DownloadError as error:
            report(error.failure)
            return Exit.FAILED
        except OSError as error:
            if not is_disk_full(error):
                raise
            report(Failure(**DISK_FULL.to_json()))
            return Exit.FAILED
    return Exit.DONE


if __name__ == "__main__":
    raise SystemExit(main())
