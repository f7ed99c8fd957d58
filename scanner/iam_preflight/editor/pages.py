"""The page of each rule as a file that an editor can open: nothing is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight import __version__
from iam_preflight.rule_page import rule_page
from iam_preflight.writing import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

    from iam_preflight.registry import Registry


class Pages:
    """Writes a rule's page when somebody first needs its address."""

    def __init__(self, rules: Registry, folder: Path | None = None) -> None:
        self._rules = rules
        self._folder = folder or cache_folder() / __version__
        self._addresses: dict[str, str | None] = {}

    def address(self, rule_id: str) -> str | None:
        """The page's URI; the rule's first reference where no file can be written."""
        if rule_id not in self._addresses:
            self._addresses[rule_id] = self._write(rule_id)
        return self._addresses[rule_id]

    def text(self, rule_id: str) -> str | None:
        rule = self._rules.find_installed(rule_id)
        return rule_page(rule) if rule is not None else None

    def _write(self, rule_id: str) -> str | None:
        rule = self._rules.find_installed(rule_id)
        if rule is None:
            return None
        file = self._folder / f"{rule.id}.md"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file.write_text(rule_page(rule) + "\n", encoding="utf-8")
        except OSError:
            return rule.references[0] if rule.references else None
        return file.as_uri()
