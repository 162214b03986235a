"""The same request sent twice is answered once: its key, what was asked, and what was answered."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, delete

from app.db import now
from app.errors import Conflict
from app.models import IdempotentRequest

KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Request:
    """What a caller names by an Idempotency-Key: the path, and a hash of the body that no order of fields changes."""

    key: str
    path: str
    body_sha256: str


def request(key: str, path: str, body: Any) -> Request:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return Request(key, path, hashlib.sha256(text.encode()).hexdigest())


def replay(session: Session, asked: Request) -> dict[str, Any] | None:
    """What this request was answered with before, if it was; Conflict for another request under the same key."""
    known = session.get(IdempotentRequest, (asked.key, asked.path))
    if known is None:
        return None
    if known.body_sha256 != asked.body_sha256:
        raise Conflict("This Idempotency-Key was used for another request: use a new key for each.")
    return known.response


def remember(session: Session, asked: Request, response: dict[str, Any]) -> None:
    """Without a commit: the answer is kept in the transaction that makes it true."""
    session.exec(delete(IdempotentRequest).where(col(IdempotentRequest.created_at) < now() - KEPT))
    session.add(IdempotentRequest(**vars(asked), response=response))
