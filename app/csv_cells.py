"""Values as a CSV file has them: raw numbers for whoever computes on, and no text that a spreadsheet would run."""

from typing import Any

# A cell that begins so is taken for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(value: Any) -> Any:
    """Numbers as they are; a person's text with a quote in front where it would run as a formula."""
    if value is None:
        return ""
    if isinstance(value, list):
        return cell(" ".join(map(str, value)))
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
