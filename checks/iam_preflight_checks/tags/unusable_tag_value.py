from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.environments import KEYS, Environments
from iam_preflight.graph.tag_policies import tag_policies
from iam_preflight.graph.tagging import date_in, is_placeholder, taggable
from iam_preflight.graph.tags import tags_of
from iam_preflight.rules import Rule
from iam_preflight.settings import TagRequirement
from iam_preflight.values import arms_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions


class UnusableTagValue(Rule):
    """A required tag has a value that says nothing, or is written in several ways.

    ## What it checks
    The tags that the settings require, on every IAM resource that has them:

    - values that only stand where one should be: `TODO`, `changeme`, `n/a`, nothing at all;
    - dates that are none, values that the settings do not allow (`values`, `pattern`), and
      values that a tag policy in the code does not allow;
    - one key or one value that is written in different ways: `Owner` and `owner`, `prod` and
      `Production`. Each is one finding, at the rarer of the two;
    - an environment that the settings do not know, for the pedantic persona.

    What is not known before deploy is left alone, and a value that many resources share is
    told once.

    ## Why it matters
    Tags are compared letter by letter. A policy that asks for `prod` does not see
    `Production`, and nobody finds the owner `TODO`.

    ## How to fix
    Write the value that is used elsewhere, best in one place: `default_tags` of the provider.

    ## Example
    ```hcl
    resource "aws_iam_role" "shop" {
      tags = {
        Environment    = "prod"
        Owner          = "shop@example.com"
        ExpirationDate = "2027-03-31"
      }
    }
    ```
    ```yaml
    Tags:
      - { Key: Environment, Value: prod }
      - { Key: Owner, Value: shop@example.com }
    ```
    """

    id = "TAG-002"
    name = "unusable-tag-value"
    severity = Severity.LOW
    practice = 9
    compliance = {
        Framework.NIST: ("AC-16", "CM-8"),
        Framework.ISO: ("A.5.13",),
        Framework.WELL_ARCHITECTED: ("SEC01-BP01",),
    }
    references = (
        "https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        judge = _Judge(graph)
        uses = list(_uses(graph))
        for use in uses:
            flaw = judge.flaw_of(use)
            if flaw:
                yield self._of_value(use, flaw, Persona.REGULAR)
            elif judge.is_no_environment(use):
                yield self._of_value(use, "is no environment of the settings", Persona.PEDANTIC)
        yield from self._of_keys(uses, graph)
        yield from self._of_spellings(uses, judge)

    def _of_value(self, use: _Use, flaw: str, persona: Persona) -> Finding:
        value = f'"{use.text}" and {flaw}' if use.text.strip() else "empty"
        return self.finding(
            f"tag {use.written} of {use.resource.address} is {value}",
            on=use.resource,
            at=use.place,
            confidence=Confidence.LOW if use.resource.deployment.is_library else None,
            persona=persona,
            related=((use.resource.header, "this resource"),),
            hint="write the value that it should have",
            evidence=f"{use.key} {use.text}",
            assumptions=use.assumptions,
        )

    def _of_keys(self, uses: list[_Use], graph: Graph) -> Iterator[Finding]:
        """One key under several spellings."""
        by_key: defaultdict[str, list[_Use]] = defaultdict(list)
        for use in uses:
            by_key[use.key].append(use)
        for key, members in by_key.items():
            rare, usual = _rarest([(use.written, use) for use in members])
            if rare is not None and usual is not None:
                yield self._of_two(
                    f"tag {key} is written {rare.written} here and {usual.written} elsewhere",
                    rare,
                    usual,
                    rare.key_place,
                )

    def _of_spellings(self, uses: list[_Use], judge: _Judge) -> Iterator[Finding]:
        """One value under several spellings."""
        alike: defaultdict[tuple[str, str], list[tuple[str, _Use]]] = defaultdict(list)
        for use in uses:
            alike[use.key, judge.meaning(use)].append((use.text, use))
        for (key, _), members in alike.items():
            rare, usual = _rarest(members)
            if rare is not None and usual is not None:
                yield self._of_two(
                    f'tag {key} is "{rare.text}" here and "{usual.text}" elsewhere',
                    rare,
                    usual,
                    rare.place,
                )

    def _of_two(self, message: str, rare: _Use, usual: _Use, place: Span) -> Finding:
        return self.finding(
            message,
            on=rare.resource,
            at=place,
            related=((usual.place, "written like this elsewhere"),),
            hint="write both in the same way",
            evidence=message,
            assumptions=rare.assumptions,
        )


class _Use(Struct, frozen=True):
    """One known value of a required tag, as it is written in one place."""

    key: str
    """As the settings write it."""
    written: str
    text: str
    place: Span
    key_place: Span
    resource: Resource
    assumptions: Assumptions


def _uses(graph: Graph) -> Iterator[_Use]:
    """The values of required tags; one that many resources share comes once."""
    seen: set[tuple[str, Span]] = set()
    for resource in taggable(graph):
        tags = tags_of(resource)
        for key in graph.settings.tags:
            written = tags.find(key)
            if written is None:
                continue
            for assumptions, arm in arms_of(tags.values[written]):
                text = text_of(arm)
                if text is None or (key, arm.span) in seen:
                    continue
                seen.add((key, arm.span))
                place = tags.key_spans[written]
                yield _Use(key, written, text, arm.span, place, resource, assumptions)


def _rarest(members: list[tuple[str, _Use]]) -> tuple[_Use | None, _Use | None]:
    """A use of the rarest spelling and one of the most usual; none where there is but one."""
    by_spelling: defaultdict[str, list[_Use]] = defaultdict(list)
    for spelling, use in members:
        by_spelling[spelling].append(use)
    if len(by_spelling) < 2:
        return None, None
    ordered = sorted(by_spelling.values(), key=len)
    return ordered[0][0], ordered[-1][0]


class _Judge:
    """What is asked of values: by the settings, and by tag policies in the code."""

    def __init__(self, graph: Graph) -> None:
        self._settings = graph.settings
        self._environments = Environments(graph.settings)
        self._policies = [rule for policy in tag_policies(graph) for rule in policy.rules]

    def flaw_of(self, use: _Use) -> str:
        """What is wrong with a value; empty where nothing is."""
        requirement = self._settings.tags.get(use.key, TagRequirement())
        if is_placeholder(use.text):
            return "says nothing"
        if requirement.is_date and date_in(use.text) is None:
            return "is no date such as 2027-01-31"
        if requirement.values and use.text not in requirement.values:
            return f"is none of {', '.join(requirement.values)}"
        if not requirement.matches_pattern(use.text):
            return "has not the form that the settings ask for"
        for rule in self._policies:
            if rule.key.lower() == use.key.lower() and not rule.allows(use.text):
                return f"is none of {', '.join(rule.values)}, which the tag policy allows"
        return ""

    def is_no_environment(self, use: _Use) -> bool:
        requirement = self._settings.tags.get(use.key, TagRequirement())
        if use.key.lower() not in KEYS or requirement.values:
            return False
        return self._environments.in_text(use.text) is None

    def meaning(self, use: _Use) -> str:
        """What values that mean the same have in common."""
        if use.key.lower() in KEYS:
            known = self._environments.canonical(use.text)
            if known is not None:
                # `prod` and `Production` are one, `qa` and `uat` are two
                return f"{known} {use.text.casefold()[:3]}"
        return use.text.casefold()
