"""Keyed hashes for what browsers hand back to us: the login cookie and the token inside a form. Nothing is stored."""

import hashlib
import hmac
import os
import secrets
import time
from functools import lru_cache
from pathlib import Path

from app.settings import Settings

KEY_BYTES = 32
FORM_TOKEN_SECONDS = 7 * 86_400  # a page left open over the weekend still submits


def sign(settings: Settings, purpose: str, value: str = "") -> str:
    """A hash that only this installation can make; it changes with the access token."""
    text = "\0".join((purpose, settings.token, value))
    return hmac.new(_key(settings.data_dir), text.encode(), hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def make_form_token(settings: Settings) -> str:
    """A value for a hidden field, good for a week."""
    made = str(int(time.time()))
    return f"{made}.{sign(settings, 'form', made)}"


def is_form_token(settings: Settings, given: str) -> bool:
    made, _, signature = given.partition(".")
    if not made.isascii() or not made.isdigit() or not same(signature, sign(settings, "form", made)):
        return False
    return time.time() - int(made) < FORM_TOKEN_SECONDS


@lru_cache(maxsize=8)
def _key(data_dir: Path) -> bytes:
    """The installation's secret, made at first use; readable by its user alone."""
    path = data_dir / "secret"
    data_dir.mkdir(parents=True, exist_ok=True)
    draft = data_dir / f"secret.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        if len(key := path.read_bytes()) == KEY_BYTES:
            return key
        path.unlink()  # cut short: a key that others could guess
    except FileNotFoundError:
        pass
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())  # a key that a power cut left empty would be everybody's
        os.link(draft, path)  # two processes may start at once: the first link wins, whole
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_bytes()
