"""Regular expressions that are compiled when they are first used.

Half of those in the code never are in one run, and to compile all of them takes a tenth of the
time of a small scan. For those in a loop that every scan goes through, `re.compile` is faster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr, cast

if TYPE_CHECKING:
    from re import Pattern


def late(text: AnyStr, flags: int = 0) -> Pattern[AnyStr]:
    """What `re.compile` gives, later."""
    return cast("Pattern[AnyStr]", _Late(text, flags))


class _Late:
    def __init__(self, text: str | bytes, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        """The compiled one's; asked for once for each name, which is an attribute from then on."""
        value = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, value)
        return value
