"""A note that somebody typed beside a run, held against the numbers: only words that judge are understood."""

import re

BETTER = re.compile(r"\b(improv\w*|better|gains?|helps|helped|beats)\b", re.IGNORECASE)
WORSE = re.compile(r"\b(worse\w*|worst|degrad\w*|poorer|hurts?|regress\w*)\b", re.IGNORECASE)
BEST = re.compile(r"\bbest\b", re.IGNORECASE)
NEGATED = re.compile(r"\b(no|not|isn't|without|hardly)\b", re.IGNORECASE)


def disagrees(note: str, better: bool | None, *, is_best: bool) -> bool:
    """Whether the note claims what the numbers do not say; a note that claims nothing, or both, never does.

    `better` is against the baseline (None: within noise or the same), `is_best` whether none is better in the study.
    """
    if NEGATED.search(note):
        return False
    up, down, top = BETTER.search(note), WORSE.search(note), BEST.search(note)
    if bool(up or top) and down:
        return False
    if top:
        return not is_best
    return (up is not None and better is not True) or (down is not None and better is not False)
