"""Which environment something belongs to: account, tag, path, parameter, then name.

The first that answers wins (S10 of the rule catalogue), because an account is harder to
misspell than a tag, and a tag than a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.tags import Tags
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings

_WORDS = re.compile(r"[A-Za-z]+|\d+")


class Environments:
    """The configured environments and how to recognise them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._words: dict[str, str] = {}
        for name, markers in settings.environments.items():
            for marker in (name, *markers):
                self._words.setdefault(marker.lower(), name)
        self._ranks = {name: rank for rank, name in enumerate(settings.environments)}

    def rank(self, environment: str) -> int:
        """How protected it is: the higher, the closer to production."""
        return self._ranks.get(environment, 0)

    def of_account(self, account: str | None) -> str | None:
        if account is None:
            return None
        known = self._settings.accounts.get(account)
        return self.canonical(known.environment) if known and known.environment else None

    def canonical(self, word: str) -> str | None:
        """The environment that a word names."""
        return self._words.get(word.strip().lower())

    def in_text(self, text: str) -> str | None:
        """The environment that a name or path mentions as a word of its own; the last one wins."""
        joined = [part for chunk in re.split(r"[^A-Za-z0-9]+", text) for part in _split(chunk)]
        found = [name for word in joined if (name := self.canonical(word)) is not None]
        return found[-1] if found else None

    def of_resource(
        self, resource: Resource, tags: Tags, account: str | None, name: str
    ) -> str | None:
        by_account = self.of_account(account)
        if by_account is not None:
            return by_account
        for key in ("environment", "env", "stage"):
            written = tags.find(key)
            value = tags.text(written) if written is not None else None
            if value is not None:
                found = self.canonical(value) or self.in_text(value)
                if found is not None:
                    return found
        hints: Iterable[str] = (
            *reversed(resource.deployment.hints),
            resource.deployment.workspace,
            resource.deployment.path,
            name,
        )
        for hint in hints:
            found = self.in_text(hint) if hint else None
            if found is not None:
                return found
        return None


def _split(chunk: str) -> list[str]:
    """`prodAccount2` as `prod`, `account`, `2`; a chunk without capitals inside stays whole."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", chunk)
    return words or [chunk]
