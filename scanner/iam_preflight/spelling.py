"""What somebody meant who wrote a name that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 128
"""No name that is looked for is longer; what resembles a long text takes long to find out."""


def nearest(name: str, known: Iterable[str], likeness: float) -> str | None:
    """The known name most like another one, whatever the case of their letters; None if none is.

    The likeness is the share of letters that must be the same, in the same order: the less is at
    stake and the fewer names there are, the lower it may be.
    """
    if len(name) > LONGEST:
        return None
    import difflib

    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[found[0]] if found else None
