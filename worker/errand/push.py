"""A copy on a hub: of the adapter, as its archive holds it, or of the merged model."""

import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from worker.finetune.errors import FinetuneError

# Of the merged model's folder, what says something to this program alone.
OURS = ["manifest.json", "rescored.json"]


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """`{"url": ...}` of what was copied; files that the hub has already are not sent again."""
    token, repository = os.environ.get("HF_TOKEN"), request["repository"]
    if not token:
        raise FinetuneError(
            "no_hub_token",
            "The worker has no token for a hub",
            "Copying needs one that may write.",
            "Start the worker with HF_TOKEN set, then ask again.",
        )
    api = HfApi(token=token)
    emit({"stage": "copying"})
    try:
        with _folder(request) as folder:
            api.create_repo(repository, private=request["private"], exist_ok=True)
            api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                ignore_patterns=OURS,
                commit_message=f"{request['what'].capitalize()} from Tuneboard",
            )
    except (httpx2.HTTPError, ConnectionError, TimeoutError) as error:
        raise _refused(repository, error) from error
    return {"url": f"{api.endpoint}/{repository}"}


@contextmanager
def _folder(request: dict[str, Any]) -> Iterator[Path]:
    if request["what"] == "merged":
        yield Path(request["folder"])
        return
    with tempfile.TemporaryDirectory(prefix="tuneboard-push-") as folder:
        with zipfile.ZipFile(request["adapter"]) as archive:
            archive.extractall(folder)
        yield Path(folder)


def _refused(repository: str, error: Exception) -> FinetuneError:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in (401, 403):
        detail, hint = (
            "The token may not write there.",
            "Check the owner's name, and that the token has the right to write.",
        )
    elif status is not None:
        detail, hint = f"The hub answered {status}.", "Ask again in a while: what has arrived is not sent again."
    else:
        detail, hint = "The hub cannot be reached.", "Check the worker's network, then ask again."
    return FinetuneError("push_failed", f"{repository} could not be written", detail, hint)
