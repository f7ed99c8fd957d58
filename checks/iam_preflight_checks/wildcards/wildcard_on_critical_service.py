from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.any_resource import AnyResourceRule, Wide
from iam_preflight.findings import Framework, Persona, Severity
from iam_preflight.knowledge.catalog import AccessLevel, ActionClass
from iam_preflight.knowledge.worth import of_little_worth
from iam_preflight.policy.scope import Strength

if TYPE_CHECKING:
    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.knowledge.actionset import ActionSet

ELSEWHERE = ("iam:PassRole", "iam:CreateServiceLinkedRole")
"""Said by WILD-003, which knows their conditions."""

CALLER = ("principal", "session")
"""What a key can be about that says who asks, not what for."""

HINTS = {
    "iam": "iam:PolicyARN, iam:PermissionsBoundary or aws:ResourceTag",
    "kms": "kms:ViaService, kms:ResourceAliases or aws:ResourceTag",
    "cloudformation": "cloudformation:RoleArn or aws:ResourceTag",
}


class WildcardOnCriticalService(AnyResourceRule):
    """A service that guards all others is open on every resource.

    ## What it checks
    An identity policy that allows actions of IAM, KMS, CloudFormation, Organizations, IAM Identity
    Center or Secrets Manager on `*`, or on a pattern that leaves the resource's name open, without
    a condition on what the request is about: `iam:PolicyARN`, `iam:PermissionsBoundary`,
    `kms:ViaService`, `kms:ResourceAliases`, `cloudformation:RoleArn`, `aws:ResourceTag`,
    `aws:ResourceAccount` and the like.

    High for whatever manages identities, keys and stacks or reads secrets. Medium for decrypting
    with every key of the account and for the other changes. One step milder with a condition on
    when, where or by whom: `aws:RequestedRegion` keeps `kms:*` in one region, but every key of
    that region stays open, and IAM knows no regions.

    With the persona *pedantic*: reading and listing on a plain `*`, and encrypting. With *auditor*:
    the same on a pattern that leaves the name open.

    `iam:PassRole` is left to WILD-003. The `*` of a key policy means "this key" and is never meant.

    ## Why it matters
    These services decide who may do what. Whoever may change one role, key or stack of any name
    can reach what the others protect.

    ## How to fix
    Name the roles, keys, stacks or secrets, or add one of the conditions above.

    ## Example
    ```hcl
    statement {
      actions   = ["kms:Decrypt"]
      resources = ["*"]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.eu-west-1.amazonaws.com"]
      }
    }
    ```
    """

    id = "WILD-002"
    name = "wildcard-on-critical-service"
    severity = Severity.HIGH
    practice = 8
    points_at_actions = True
    yields_to = (
        "LEAST-001",
        "LEAST-003",
        "LEAST-004",
        "LEAST-005",
        "LEAST-006",
        "LEAST-007",
        "LEAST-008",
        "LEAST-009",
        "LEAST-010",
        "ESC-001",
        "ESC-002",
        "ESC-008",
        "BOUND-001",
    )
    compliance = {
        Framework.NIST: ("AC-6", "SC-12"),
        Framework.ISO: ("A.8.2", "A.8.24"),
        Framework.FSBP: ("KMS.1", "KMS.2"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_109", "CKV_AWS_111", "CKV_AWS_289", "CKV_AWS_290", "CKV2_AWS_40"),
        "prowler": ("iam_policy_no_full_access_to_kms",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html",
        "https://docs.aws.amazon.com/kms/latest/developerguide/iam-policies-best-practices.html",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html",
    )

    def wide(self, exposure: Exposure) -> Wide | None:
        catalog, classes = exposure.catalog, exposure.catalog.classes
        about = exposure.opening.broad & classes[ActionClass.CRITICAL_SERVICES]
        actions = _unlimited(exposure, about - catalog.expand_all(ELSEWHERE))
        if not actions:
            return None
        changes = actions.at_level(AccessLevel.WRITE, AccessLevel.PERMISSIONS_MANAGEMENT)
        common = classes[ActionClass.COMMONPLACE] | of_little_worth(catalog)
        telling = (changes | actions & catalog.sensitive) - common
        grave = telling & catalog.sensitive
        grave -= classes[ActionClass.SECRETS_AND_DATA] & catalog.expand("kms:*")
        if grave:
            return Wide(grave, Severity.HIGH)
        if telling:
            return Wide(telling, Severity.MEDIUM)
        if exposure.opening.covers_every_resource(is_sure=False):
            return Wide(actions, Severity.LOW, Persona.PEDANTIC)
        if told := actions - common:
            return Wide(told, Severity.LOW, Persona.AUDITOR)
        return None

    def weighed(self, wide: Wide, exposure: Exposure) -> Wide:
        weighed = super().weighed(wide, exposure)
        first = next(iter(wide.actions))
        is_open = wide.actions.meets(exposure.opening.open)
        is_milder = not is_open or exposure.opening.is_contextual(wide.actions)
        return replace(
            weighed,
            severity=weighed.severity.lowered(not is_open),
            confidence=exposure.confidence_in(first),
            limit=", limited only by where or when" if is_milder else "",
            cure=f", or add a condition on {HINTS.get(first.partition(':')[0], 'aws:ResourceTag')}",
        )


def _unlimited(exposure: Exposure, actions: ActionSet) -> ActionSet:
    """Those that no condition limits by what the request is about."""
    if not exposure.opening.is_conditional:
        return actions
    kept = tuple(action for action in actions if not _is_limited(exposure, action))
    return exposure.catalog.expand_all(kept)


def _is_limited(exposure: Exposure, action: str) -> bool:
    for judgement in exposure.opening.judgements(action):
        if judgement.strength is Strength.NEVER:
            return True
        key = exposure.catalog.condition_key(judgement.condition.key_name)
        if judgement.strength is Strength.SCOPE and (key is None or key.about not in CALLER):
            return True
    return False
