"""Telling a person the nearest valid name."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that looks most like `name` (case is ignored), or None when nothing comes near."""
    by_folded = {candidate.casefold(): candidate for candidate in allowed}
    if longer := sorted(candidate for candidate in by_folded if name and candidate.startswith(name.casefold())):
        return by_folded[longer[0]]
    matches = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[matches[0]] if matches else None
