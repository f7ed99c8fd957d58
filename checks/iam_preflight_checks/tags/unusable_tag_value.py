from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.tag_values import TagJudge, keys_of_two_spellings, tag_uses
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.tag_values import TagUse
    from iam_preflight.source import Span


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
        judge = TagJudge(graph)
        uses = list(tag_uses(graph))
        for use in uses:
            flaw = judge.flaw_of(use)
            if flaw:
                yield self._of_value(use, flaw, Persona.REGULAR)
            elif judge.is_no_environment(use):
                yield self._of_value(use, "is no environment of the settings", Persona.PEDANTIC)
        for rare, usual in keys_of_two_spellings(uses):
            what = f"tag {rare.key} is written {rare.written} here and {usual.written} elsewhere"
            yield self._of_two(what, rare, usual, rare.key_place)
        for rare, usual in judge.values_of_two_spellings(uses):
            what = f'tag {rare.key} is "{rare.text}" here and "{usual.text}" elsewhere'
            yield self._of_two(what, rare, usual, rare.place)

    def _of_value(self, use: TagUse, flaw: str, persona: Persona) -> Finding:
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

    def _of_two(self, message: str, rare: TagUse, usual: TagUse, place: Span) -> Finding:
        return self.finding(
            message,
            on=rare.resource,
            at=place,
            related=((usual.place, "written like this elsewhere"),),
            hint="write both in the same way",
            evidence=message,
            assumptions=rare.assumptions,
        )
