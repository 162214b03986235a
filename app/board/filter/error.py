"""What is wrong with a filter, and at which characters."""

from app.errors import FieldError, Invalid


class FilterError(Invalid):
    """`message` is a sentence; `position` counts characters from 0, and `length` of them are meant."""

    def __init__(self, position: int, length: int, message: str) -> None:
        super().__init__([FieldError("filter", f"{message} (character {position + 1})")])
        self.position = position
        self.length = max(1, length)
        self.message = message
