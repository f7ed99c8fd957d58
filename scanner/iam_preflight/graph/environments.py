"""Which environment something belongs to: account, tag, path, parameter, then name.

The first that answers wins (S10 of the rule catalogue), because an account is harder to
misspell than a tag, and a tag than a name.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.tags import Tags
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings
    from iam_preflight.values import Value

KEYS = ("environment", "env", "stage")
"""Tags that say the environment, whatever their case."""
_FOLDERS_OF_TESTS = frozenset({"test", "tests", "testing", "integration"})


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
        found = [name for word in _words(text) if (name := self.canonical(word)) is not None]
        return found[-1] if found else None

    def all_in_text(self, text: str) -> set[str]:
        """Every environment that a text mentions."""
        return {name for word in _words(text) if (name := self.canonical(word)) is not None}

    def of_place(self, resource: Resource, account: str | None) -> tuple[str, str] | None:
        """The environment of where a resource goes, whatever it says of itself, and what tells it.

        A folder that is called after an environment counts before one that only mentions it,
        and folders of tests are no environment.
        """
        by_account = self.of_account(account)
        if by_account is not None:
            return by_account, f"account {account}"
        deployment = resource.deployment
        for text in (*reversed(deployment.hints), deployment.workspace):
            found = self.in_text(PurePosixPath(text).name) if text else None
            if found is not None:
                return found, text
        folders = PurePosixPath(deployment.path).parts
        for folder in reversed(folders):
            exact = self.canonical(folder)
            if exact is not None and folder.lower() not in _FOLDERS_OF_TESTS:
                return exact, f"folder {folder}"
        for folder in reversed(folders):
            words = {self.canonical(word) for word in _words(folder)} - {None}
            if len(words) == 1 and not _FOLDERS_OF_TESTS.intersection(_words(folder.lower())):
                return str(words.pop()), f"folder {folder}"
        return None

    def is_most_protected(self, *environments: str) -> bool:
        """Whether one of them is the most protected environment of all."""
        return len(self._ranks) - 1 in map(self.rank, environments)

    def of_tags(self, tags: Tags) -> str | None:
        """The environment that a tag names."""
        for key in KEYS:
            written = tags.find(key)
            value = tags.text(written) if written is not None else None
            if value is not None:
                found = self.canonical(value) or self.in_text(value)
                if found is not None:
                    return found
        return None

    def of_resource(
        self, resource: Resource, tags: Tags, account: str | None, name: str
    ) -> str | None:
        by_account = self.of_account(account)
        if by_account is not None:
            return by_account
        by_tag = self.of_tags(tags)
        if by_tag is not None:
            return by_tag
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


def environment_tag(tags: Tags) -> Value | None:
    """The value of the first tag that is there to say the environment."""
    written = next((found for key in KEYS if (found := tags.find(key)) is not None), None)
    return tags.values[written] if written is not None else None


def _words(text: str) -> list[str]:
    return [part for chunk in re.split(r"[^A-Za-z0-9]+", text) for part in _split(chunk)]


def _split(chunk: str) -> list[str]:
    """`prodAccount2` as `prod`, `account`, `2`; a chunk without capitals inside stays whole."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", chunk)
    return words or [chunk]
