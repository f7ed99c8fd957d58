"""What is wrong with rules beyond what stops them from loading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.declarative import ActionMatch, StatementRule
from iam_preflight.rules import PRACTICES, SECTIONS
from iam_preflight.testing import FORMATS, find_cases
from iam_preflight.typed import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iam_preflight.declarative import Matcher
    from iam_preflight.registry import Registry
    from iam_preflight.rules import Rule

_NAMES = {"holder", "policy", "action", "resource", "principal"}


def lint(rule: Rule, registry: Registry, fixtures: Path | None) -> Iterator[str]:
    """The faults of a rule, each in words."""
    yield from _facts(rule, registry)
    yield from _page(rule)
    if isinstance(rule, StatementRule):
        yield from _declaration(rule)
    if fixtures is not None:
        yield from _fixtures(rule, fixtures)


def _facts(rule: Rule, registry: Registry) -> Iterator[str]:
    if rule.practice not in PRACTICES:
        yield f"practice {rule.practice} is not one of 1 to {max(PRACTICES)}"
    for attribute in ("yields_to", "yields_when_milder_to"):
        for other in getattr(rule, attribute):
            if registry.find_installed(other) is None:
                near = nearest(other, registry.names())
                yield f"{attribute} names {other}, which there is not{near}"
    for url in rule.references:
        if not url.startswith("https://"):
            yield f"the reference {url} is not an https address"
    methods = ("statement", "policy", "principal", "resource", "graph")
    if not any(rule.implements(f"check_{method}") for method in methods):
        yield "it implements none of the check_… methods"
    if rule.implements("check_resource") and not rule.reads:
        yield "check_resource is called for the types in `reads`, and there are none"


def _page(rule: Rule) -> Iterator[str]:
    page = rule.page()
    if len(rule.title()) > 100:
        yield "the title is longer than 100 characters"
    for section in SECTIONS:
        _, found, rest = page.partition(f"## {section}\n")
        if not found or not rest.split("\n## ", 1)[0].strip():
            yield f"the page says nothing under {section!r}"


def _declaration(rule: StatementRule) -> Iterator[str]:
    declared = rule.declared
    if declared.message != declared.message.rstrip("."):
        yield "the message ends with a full stop: it is a clause"
    unknown = set(re.findall(r"\{(\w*)\}", declared.message)) - _NAMES
    for name in sorted(unknown):
        yield f"the message asks for {{{name}}}: {', '.join(sorted(_NAMES))} are known"
    for matcher in (*_several(declared.match), *_several(declared.unless)):
        yield from _actions(matcher)
    for matcher in _several(declared.match):
        asked = (matcher.actions, matcher.resources, matcher.principals, matcher.conditions)
        if all(part is None for part in asked):
            yield "a matcher asks for nothing: it would find every statement"


def _several(given: Matcher | tuple[Matcher, ...] | None) -> tuple[Matcher, ...]:
    if given is None:
        return ()
    return given if isinstance(given, tuple) else (given,)


def _actions(matcher: Matcher) -> Iterator[str]:
    """Actions that AWS does not have."""
    from iam_preflight.knowledge.catalog import catalog

    if matcher.actions is None:
        return
    match = matcher.actions
    globs = (*match.grants, *match.covers) if isinstance(match, ActionMatch) else match
    for glob in globs:
        if not catalog().expand(glob):
            yield f"AWS has no action {glob}"


def _fixtures(rule: Rule, folder: Path) -> Iterator[str]:
    cases = [case for case in find_cases(folder) if case.rule == rule.id]
    if not any(case.is_bad for case in cases):
        yield f"there is no bad_… fixture in {rule.id}/{{{','.join(FORMATS)}}}"
    if not any(not case.is_bad for case in cases):
        yield f"there is no good_… fixture in {rule.id}/{{{','.join(FORMATS)}}}"
