from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.any_resource import AnyResourceRule, Wide
from iam_preflight.findings import Framework, Persona, Severity
from iam_preflight.graph.wide import leaves_out_what_it_makes, names_itself
from iam_preflight.knowledge.catalog import AccessLevel, ActionClass
from iam_preflight.knowledge.worth import on_the_only_one
from iam_preflight.policy.effective import admin_probes

if TYPE_CHECKING:
    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.knowledge.actionset import ActionSet


class AnyResource(AnyResourceRule):
    """Actions that could be limited to resources are allowed on all of them.

    ## What it checks
    An identity policy that allows actions on `*`, or on a pattern that leaves the resource's name
    open (`arn:aws:dynamodb:*:*:table/*`), although the actions take a narrower one, and without a
    condition that limits what it is about (a tag, an account, a key of the service). Actions
    that AWS only grants on `*`, such as `ec2:DescribeInstances`, do not count, nor do those on the
    only thing of its kind in an account, such as its Security Hub, unless they are sensitive.

    Medium where the actions change something. Low where they only read data (`s3:GetObject`).
    One step milder with a condition on when and where, such as `aws:RequestedRegion`: it does
    not narrow the resources inside the region, but is what is left for actions that cannot be
    limited otherwise.

    With the persona *pedantic*: lists, tags and reading what describes things on a plain `*`; what
    is only allowed in one region or from one network; what nearly every workload has and can do
    little with, such as writing logs; and creating what AWS names, such as security groups. With
    *auditor*: lists and the like on a pattern that leaves the name open (`s3:ListBucket` on
    `arn:aws:s3:::*`), which is as narrow as many of them are ever written.

    IAM, KMS, CloudFormation, Organizations, Identity Center and Secrets Manager are left to
    WILD-002.

    ## Why it matters
    One stolen session then reaches every queue, table and instance of the account, those of other
    teams and those made later included.

    ## How to fix
    Name the ARNs, or at least their prefix. Where the ARN is not known beforehand, ask for a tag
    with `aws:ResourceTag`.

    ## Example
    ```yaml
    - Effect: Allow
      Action: sqs:SendMessage
      Resource: !GetAtt Orders.Arn
    ```
    """

    id = "WILD-001"
    name = "any-resource"
    severity = Severity.MEDIUM
    practice = 8
    points_at_actions = False
    yields_to = (
        "LEAST-001",
        "LEAST-003",
        "LEAST-004",
        "LEAST-005",
        "LEAST-006",
        "LEAST-008",
        "LEAST-009",
        "LEAST-010",
        "LEAST-011",
        "WILD-002",
        "WILD-003",
    )
    compliance = {
        Framework.NIST: ("AC-6", "AC-3"),
        Framework.ISO: ("A.5.18", "A.8.3"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_111", "CKV_AWS_290", "CKV_AWS_355", "CKV_AWS_356"),
        "cfn_nag": ("W11", "W12", "W13"),
        "cfn-guard": ("IAM_POLICYDOCUMENT_NO_WILDCARD_RESOURCE",),
        "cfripper": ("WildcardResourceRule",),
        "parliament": ("RESOURCE_STAR", "RESOURCE_EFFECTIVELY_STAR"),
    }
    references = (
        "https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html",
    )

    def wide(self, exposure: Exposure) -> Wide | None:
        classes = exposure.catalog.classes
        actions = _open(exposure) - classes[ActionClass.CRITICAL_SERVICES]
        telling = actions - classes[ActionClass.COMMONPLACE]
        telling -= on_the_only_one(telling, exposure.catalog)
        changes = telling.at_level(AccessLevel.WRITE, AccessLevel.PERMISSIONS_MANAGEMENT)
        data = telling & classes[ActionClass.SECRETS_AND_DATA]
        if any(_is_grave(action, exposure) for action in changes):
            return Wide(changes, Severity.MEDIUM)
        if data:
            return Wide(data, Severity.LOW)
        if actions and exposure.opening.covers_every_resource(is_sure=False):
            return Wide(actions, Severity.LOW, Persona.PEDANTIC)
        if telling:
            return Wide(telling, Severity.LOW, Persona.AUDITOR)
        return None

    def weighed(self, wide: Wide, exposure: Exposure) -> Wide:
        weighed = super().weighed(wide, exposure)
        if not exposure.opening.is_contextual(wide.actions):
            return weighed
        is_regular = wide.persona is Persona.REGULAR
        return replace(weighed, persona=Persona.PEDANTIC if is_regular else Persona.AUDITOR)


def _is_grave(name: str, exposure: Exposure) -> bool:
    """Whether a change is more than making something new under a name that AWS makes up."""
    action = exposure.catalog.action(name)
    if action is None or not names_itself(action):
        return True
    return name in exposure.catalog.sensitive


def _open(exposure: Exposure) -> ActionSet:
    """What is open; of a statement about everything only what tells for the rest."""
    opening, catalog = exposure.opening, exposure.catalog
    if not opening.is_boundless or not opening.covers_every_resource(is_sure=False):
        parts = (
            name
            for name in opening.open
            if (action := catalog.action(name)) is not None
            and leaves_out_what_it_makes(action, exposure.statement)
        )
        return opening.open - catalog.expand_all(tuple(parts))
    return opening.open & catalog.expand_all(admin_probes())
