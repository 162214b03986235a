"""What pydantic finds wrong, as a dotted name and a sentence for a person."""

from typing import Any

from app.errors import FieldError

# What pydantic's kinds of finding say to a person; braces take what the finding knows about the limit.
_SENTENCES = {
    "missing": "This is needed",
    "extra_forbidden": "There is no such setting",
    "string_too_short": "This is needed",
    "too_short": "This is needed",
    "string_too_long": "This may have at most {max_length} characters",
    "greater_than": "This must be more than {gt}",
    "greater_than_equal": "This must be at least {ge}",
    "less_than": "This must be less than {lt}",
    "less_than_equal": "This must be at most {le}",
    "literal_error": "This must be {expected}",
    "int_parsing": "This must be a whole number",
    "int_parsing_size": "This number is too large",
    "int_type": "This must be a whole number",
    "int_from_float": "This must be a whole number",
    "float_parsing": "This must be a number",
    "float_type": "This must be a number",
    "finite_number": "This must be a finite number",
    "bool_parsing": "This must be true or false",
    "bool_type": "This must be true or false",
    "string_type": "This must be text",
    "model_type": "This must be an object of settings",
}


def field_error(item: Any) -> FieldError:
    """One of pydantic's findings as a dotted name and a sentence."""
    name, kind, context = dotted(item["loc"]), str(item["type"]), item.get("ctx", {})
    if kind == "value_error":  # ours, written "field: sentence"
        field, _, message = str(context["error"]).partition(": ")
        return FieldError(".".join(filter(None, (name, field))), message)
    if item.get("input") == "":
        kind = "missing"
    limits = {word: f"{limit:g}" if isinstance(limit, float) else limit for word, limit in context.items()}
    return FieldError(name, _SENTENCES[kind].format(**limits) if kind in _SENTENCES else str(item["msg"]))


def dotted(location: tuple[str | int, ...]) -> str:
    """Pydantic's location as the dotted name of a setting; the tail that names a member of a union is dropped."""
    return ".".join(str(part) for part in location[:2])
