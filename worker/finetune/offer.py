"""What a training that diverged still has to give: the adapter of its last checkpoint, whose weights are numbers."""

from pathlib import Path

from worker.finetune import artifacts, checkpoint
from worker.finetune.errors import Diverged, explained
from worker.finetune.training import Training
from worker.finetune.whole import whole_folder


def last_checkpoint(run: Training, output_dir: Path, error: Diverged) -> Diverged:
    """Write that adapter as an artifact, and answer the error with a sentence about it."""
    found = checkpoint.recover(run.checkpoints)
    if found is None or found.state is None or found.state.get("identity") != run.identity or found.step == 0:
        return _saying(error, "No checkpoint had been saved before, so there is no adapter to offer.")
    with explained("saving the adapter of the last checkpoint"), whole_folder(output_dir / "artifacts") as folder:
        artifacts.write_adapter(folder / "adapter.zip", run.learner.model, found.state["learner"]["adapter"])
        (folder / "metrics.jsonl").write_bytes((output_dir / "metrics.jsonl").read_bytes())
        artifacts.write_manifest(folder, steps={"adapter.zip": found.step})
    return _saying(error, f"The adapter of step {found.step}, the last checkpoint before it, can be downloaded.")


def _saying(error: Diverged, more: str) -> Diverged:
    return Diverged(error.code, error.title, f"{error.detail} {more}", error.hint)
