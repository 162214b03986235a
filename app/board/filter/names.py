"""The column that a name in a filter means; where it means none or two, what was probably meant."""

from difflib import get_close_matches

from app import metrics, run_config
from app.board.filter.tokens import Token
from app.board.run_columns import OWN, RESOURCES, Column, column

SETTINGS = tuple(run_config.LABELS)
ALL = (*OWN, *SETTINGS, *metrics.BY_NAME, *metrics.BY_SHORT, *RESOURCES)


def named(token: Token) -> Column:
    name = token.text
    meant = [full for full in SETTINGS if full.partition(".")[2] == name]
    if name in metrics.BY_SHORT and meant:
        names = [*meant, metrics.BY_SHORT[name].name]
        raise token.error(f"{name} is the name of more than one column: write {' or '.join(names)}")
    try:
        return column(name)
    except KeyError:
        raise token.error(f"There is no column {name}{_instead(name, meant)}") from None


def _instead(name: str, meant: list[str]) -> str:
    plain, _, aggregate = name.partition(":")
    if aggregate and plain in ALL:
        return f": {_no_aggregate(plain, aggregate)}"
    if found := meant or get_close_matches(name.lower(), ALL, n=2, cutoff=0.7):
        return f": did you mean {' or '.join(found)}?"
    return ": settings go by names like lora.r, metrics like eval/perplexity"


def _no_aggregate(plain: str, aggregate: str) -> str:
    if aggregate != "best":
        return f"a metric is taken as it was last or, with :best, as its best; there is no {aggregate}"
    return f"{plain} has no best value"
