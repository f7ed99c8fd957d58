from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.model import Origin
from iam_preflight.graph.wide import used
from iam_preflight.knowledge.catalog import AccessLevel, ActionClass
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.scope import Strength
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.policy.document import Statement

TAGS = ("aws:requesttag/", "aws:tagkeys")
REGION = ("aws:requestedregion",)


class UncontrolledCreation(Rule):
    """Resources may be made or tagged without saying with which tags, or in which region.

    ## What it checks
    An identity policy that allows actions which create resources or tag them, on everything, and
    does not ask for tags with `aws:RequestTag` or `aws:TagKeys`; and, where `allowed_regions` is
    set, one that lets regional resources be created in any region. It speaks where that matters:
    where the settings say `require_request_tags`, and, with the persona *pedantic*, where policies
    of the code decide by tags of resources (`aws:ResourceTag`).

    A service control policy of the code that denies requests without tags, or in other regions,
    is as good for all. Whether a tag that decides can be changed by those it binds is the business
    of TAG-004.

    ## Why it matters
    What has no tag escapes every policy that decides by tags, and nobody knows whose it is. What
    is made in a region that nobody watches is found last.

    ## How to fix
    Add the conditions `aws:RequestTag` and `aws:TagKeys` to what creates and tags, and
    `aws:RequestedRegion` to what creates.

    ## Example
    ```hcl
    statement {
      actions   = ["ec2:CreateVolume"]
      resources = ["arn:aws:ec2:*:*:volume/*"]

      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/team"
        values   = ["shop"]
      }
    }
    ```
    """

    id = "WILD-005"
    name = "uncontrolled-creation"
    severity = Severity.LOW
    practice = 8
    yields_to = ("LEAST-001", "LEAST-003", "LEAST-005", "LEAST-006", "TAG-004", "WILD-001")
    compliance = {
        Framework.NIST: ("AC-3(13)", "AC-16", "CM-7"),
        Framework.ISO: ("A.5.15",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html#access_tags_control-requests",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        settings = graph.settings
        asks_tags = settings.require_request_tags or _decides_by_tags(graph)
        asks_tags = asks_tags and not _is_enforced(graph, TAGS)
        asks_region = bool(settings.allowed_regions) and not _is_enforced(graph, REGION)
        if not asks_tags and not asks_region:
            return
        for policy in graph.policies:
            if policy.use is not DocumentUse.IDENTITY or policy.origin is Origin.AWS_MANAGED:
                continue
            for exposure in graph.exposures.of(policy):
                if not exposure.opening.is_boundless:
                    yield from self._uncontrolled(exposure, asks_tags, asks_region)

    def _uncontrolled(
        self, exposure: Exposure, asks_tags: bool, asks_region: bool
    ) -> Iterator[Finding]:
        settings = exposure.graph.settings
        made = _making(exposure)
        if asks_tags and (untagged := _without(exposure, made, TAGS)):
            hint = "add a condition on aws:RequestTag with the tags that must be given"
            is_asked = settings.require_request_tags
            yield self._made(exposure, untagged, "with any tags or none", hint, is_asked)
        elif asks_region and (elsewhere := _without(exposure, _regional(exposure, made), REGION)):
            allowed = " or ".join(settings.allowed_regions)
            hint = f"add the condition StringEquals aws:RequestedRegion = {allowed}"
            yield self._made(exposure, elsewhere, "in any region", hint, is_asked=True)

    def _made(
        self, exposure: Exposure, actions: ActionSet, how: str, hint: str, is_asked: bool
    ) -> Finding:
        patterns = exposure.opening.action_patterns(actions)
        place = exposure.action_place(patterns)
        return self.finding(
            f"{exposure.who} may use {used(exposure, actions)} {how}",
            on=exposure.policy,
            at=place,
            severity=exposure.severity(self.severity, actions),
            confidence=exposure.confidence_in(next(iter(actions))),
            persona=Persona.REGULAR if is_asked else Persona.PEDANTIC,
            related=exposure.related(),
            hint=hint,
            causes=(exposure.statement.span, place),
            assumptions=exposure.assumptions(next(iter(patterns), None)),
            principal=exposure.holder,
        )


def _making(exposure: Exposure) -> ActionSet:
    """Actions open on everything that create resources or tag them."""
    catalog = exposure.catalog
    found = exposure.opening.open - catalog.classes[ActionClass.COMMONPLACE]
    new = found & catalog.expand_all(("*:Create*", "*:Run*"))
    return new.at_level(AccessLevel.WRITE) | found.at_level(AccessLevel.TAGGING)


def _without(exposure: Exposure, actions: ActionSet, keys: tuple[str, ...]) -> ActionSet:
    """Those that could be held to a key, and are not."""
    catalog = exposure.catalog
    names = ("aws:RequestTag/team", "aws:TagKeys") if keys is TAGS else ("aws:RequestedRegion",)
    kept = [
        action
        for action in actions
        if any(catalog.is_key_available(name, action) for name in names)
        and not any(
            judgement.strength > Strength.NOTHING and judgement.condition.key_name.startswith(keys)
            for judgement in exposure.opening.judgements(action)
        )
    ]
    return catalog.expand_all(tuple(kept))


def _regional(exposure: Exposure, actions: ActionSet) -> ActionSet:
    """Those about resources that are in a region."""
    catalog = exposure.catalog
    kept = [
        name
        for name in actions
        if (action := catalog.action(name)) is not None
        and any("${Region}" in use.type.arn for use in action.resources)
    ]
    return catalog.expand_all(tuple(kept))


def _decides_by_tags(graph: Graph) -> bool:
    """Whether some policy lets only resources with a certain tag be used."""
    return any(
        "resourcetag/" in condition.key_name
        for statement, _ in graph.statements(DocumentUse.IDENTITY, DocumentUse.SCP)
        for condition in statement.conditions
    )


def _is_enforced(graph: Graph, keys: tuple[str, ...]) -> bool:
    """Whether a service control policy denies what lacks the keys, or has other values."""
    return any(
        _is_guard(statement, keys)
        for statement, _ in graph.statements(DocumentUse.SCP)
        if not statement.is_allow
    )


def _is_guard(statement: Statement, keys: tuple[str, ...]) -> bool:
    return any(
        condition.key_name.startswith(keys)
        and (condition.operator.is_negated or condition.operator.base == "null")
        for condition in statement.conditions
    )
