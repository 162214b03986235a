"""Domain errors. Each is a sentence for a person and knows its HTTP status.

TuneboardError (500)
|-- NotFound (404)
|-- Conflict (409)
|-- TooLarge (413)
|-- WrongMediaType (415)
|-- Invalid (422)      carries the fields that are wrong
`-- Unavailable (503)  nothing was stored, try again
    `-- DiskFull       later, when there is room
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FieldError:
    """One wrong value: the dotted name of its field and a sentence about it."""

    field: str
    message: str


class TuneboardError(Exception):
    """Anything that is the caller's to know; the message is shown as it is."""

    status = 500
    title = "Something went wrong"


class NotFound(TuneboardError):
    status = 404
    title = "Not found"


class Conflict(TuneboardError):
    status = 409
    title = "Not possible now"


class TooLarge(TuneboardError):
    status = 413
    title = "Too large"


class WrongMediaType(TuneboardError):
    status = 415
    title = "Wrong media type"


@dataclass
class Invalid(TuneboardError):
    """Values that are not allowed, one error a field."""

    errors: list[FieldError] = field(default_factory=list)

    status = 422
    title = "Some values are not allowed"

    def __str__(self) -> str:
        return "; ".join(f"{e.field}: {e.message}" for e in self.errors)

    @classmethod
    def one(cls, field: str, message: str) -> "Invalid":
        return cls([FieldError(field, message)])


class Unavailable(TuneboardError):
    """`retry_after`: in how many seconds another try may help."""

    status = 503
    title = "Not available right now"
    retry_after = 2


class DiskFull(Unavailable):
    """Somebody has to make room first."""

    title = "The disk is full"
    retry_after = 60

    def __init__(self) -> None:
        super().__init__("The disk is full: nothing was stored. Delete finished runs or data sets, then try again.")


@dataclass(frozen=True)
class RunError:
    """Why a run failed, for a person: what happened, what it means, what to do."""

    code: str
    title: str
    detail: str
    hint: str

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "title": self.title, "detail": self.detail, "hint": self.hint}
