from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.standing import Standing
from iam_preflight.graph.tag_control import Whose, picked_locks
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.tag_control import Picked


class SelfSetAccessTag(Rule):
    """Access depends on a tag that those it lets in can set themselves.

    ## What it checks
    For every role, user, group and permission set whose own policies have a condition on a tag
    (`aws:ResourceTag/…`, `ec2:ResourceTag/…`, `aws:PrincipalTag/…`), or fill in a tag of its own
    (`${aws:PrincipalTag/team}`), whether it may set that tag, or remove one that a Deny asks for:

    - on any resource of the same kind (`ec2:CreateTags`, `iam:TagRole`, …);
    - on itself (`iam:TagRole`, `iam:TagUser` on its own ARN; of a group, on its members);
    - on its sessions, because the trust policy lets callers of its own kind pass tags with
      `sts:TagSession`.

    Permission to tag is no key to the lock where a condition on `aws:TagKeys` leaves the tag
    out, where one on `aws:RequestTag/…` or on the same tag of the resource pins it, where it is
    for new resources only (`ec2:CreateAction`), or where a Deny keeps the tag. Administrators
    need no tags and are left alone, and so is what AWS's own policies say.

    ## Why it matters
    "Only instances of your own team" means nothing to somebody who can make every instance one
    of the own team. Tags are set without review, and often by everybody.

    ## How to fix
    Deny changes of the tag to all but those who manage it, or pin its value.

    ## Example
    ```json
    {
      "Effect": "Deny",
      "Action": ["ec2:CreateTags", "ec2:DeleteTags"],
      "Resource": "*",
      "Condition": { "ForAnyValue:StringEquals": { "aws:TagKeys": ["team"] } }
    }
    ```
    """

    id = "TAG-004"
    name = "self-set-access-tag"
    severity = Severity.HIGH
    practice = 9
    compliance = {
        Framework.NIST: ("AC-16", "AC-3(13)"),
        Framework.ISO: ("A.5.15",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/tutorial_attribute-based-access-control.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if is_exempt(principal, graph.settings) or graph.standing(principal) is Standing.ADMIN:
            return
        for picked in picked_locks(principal, graph):
            yield self._finding(picked)

    def _finding(self, picked: Picked) -> Finding:
        lock = picked.lock
        own = "its members" if picked.principal.kind is PrincipalKind.GROUP else "itself"
        on = "any resource" if lock.whose is Whose.RESOURCE else own
        where = "its sessions" if picked.action == "sts:TagSession" else on
        return self.finding(
            f"{picked.principal.label} may set the tag {lock.key} on {where} ({picked.action}), "
            "and its access depends on it",
            on=picked.principal,
            at=picked.place,
            confidence=Confidence.HIGH if picked.is_sure else Confidence.MEDIUM,
            related=((lock.place, "the access that depends on it"),),
            hint=f"deny it for aws:TagKeys {lock.key}, or pin aws:RequestTag/{lock.key}",
            evidence=f"{picked.action} {lock.key}",
            causes=(picked.statement,),
            principal=picked.principal,
        )
