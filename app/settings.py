"""Every setting: its name, default and description. Read from the environment, once, with the prefix TUNEBOARD_."""

import hashlib
import os
import tempfile
from functools import cached_property
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TUNEBOARD_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on; any other than loopback needs a token.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    data_dir: Path = Field(Path("var"), description="Folder of the database, data sets and runs.")
    database_url: str = Field("", description="SQLite URL; empty: tuneboard.db in the data folder.")
    redis_url: str = Field("", description="Broker; empty: one is started beside the worker (embedded).")
    model_dirs: str = Field("", description="Colon-separated folders that local models and data sets may come from.")
    token: str = Field("", description="When set, every call needs `Authorization: Bearer TOKEN`.")
    allowed_hosts: str = Field("", description="Comma-separated names accepted in Host besides loopback.")
    lease_seconds: float = Field(15.0, gt=0, description="After this silence a worker counts as gone, in seconds.")
    retry_seconds: float = Field(
        10.0, gt=0, description="Pause before an error that may pass is tried again, in seconds; doubles twice."
    )
    silence_seconds: float = Field(
        1800.0, gt=0, description="After this silence a training process counts as hung, in seconds."
    )
    workers: int = Field(
        0, ge=0, description="Workers that `up` starts; 0: one for each GPU, and one where there is none."
    )
    spare: bool = Field(
        True,
        description="Keep a process that has loaded the training's libraries: runs begin as copies, seconds earlier.",
    )
    max_upload: int = Field(2_000_000_000, ge=1, description="Largest upload, in bytes.")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "redis+socket://")):
            raise ValueError("give redis://HOST:PORT/0, rediss://... or redis+socket:///PATH")
        return value

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'tuneboard.db'}"

    @cached_property
    def broker_socket(self) -> Path:
        """Where the embedded broker listens: the same for every part that shares a data folder.

        A Unix socket's path is limited to 107 bytes, so it cannot lie in the data folder itself.
        """
        folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        name = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:16]
        return folder / f"tuneboard-{os.getuid()}-{name}" / "broker.sock"

    @property
    def broker_url(self) -> str:
        return self.redis_url or f"redis+socket://{self.broker_socket}"

    @property
    def runs_dir(self) -> Path:
        return self.data_dir / "runs"

    @property
    def datasets_dir(self) -> Path:
        return self.data_dir / "datasets"

    @property
    def baselines_dir(self) -> Path:
        """One file a `baseline_key`: the base model's measurement and its answers."""
        return self.data_dir / "baselines"

    @property
    def token_cache_dir(self) -> Path:
        """Rows as tokens, kept for the next run; may go at any time."""
        return self.data_dir / "cache" / "tokens"

    @property
    def backups_dir(self) -> Path:
        """What `tuneboard backup` and migrations put aside."""
        return self.data_dir / "backups"

    @property
    def errands_dir(self) -> Path:
        """What the processes that do errands print, for whoever runs the machine."""
        return self.data_dir / "errands"

    @property
    def downloads_dir(self) -> Path:
        """Base models that came from the hub."""
        return self.data_dir / "models"

    @cached_property
    def model_folders(self) -> tuple[Path, ...]:
        """Allowed folders of local models, resolved; the sample's is not among them, it is always allowed."""
        return tuple(Path(part).expanduser().resolve() for part in self.model_dirs.split(":") if part)

    @cached_property
    def host_names(self) -> frozenset[str]:
        """Names that a request's Host header may carry."""
        return frozenset(LOOPBACK) | {h.strip() for h in self.allowed_hosts.split(",") if h.strip()}

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK

    def run_dir(self, run_id: int) -> Path:
        return self.runs_dir / str(run_id)

    def dataset_dir(self, dataset_id: int) -> Path:
        return self.datasets_dir / str(dataset_id)
