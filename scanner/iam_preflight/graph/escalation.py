"""What an escalation is: who gains what, with which permissions, and where these are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence, Place
from iam_preflight.knowledge.escalation import MethodKind
from iam_preflight.policy.match import action_matches
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from iam_preflight.graph.model import Principal, Workload
    from iam_preflight.knowledge.escalation import Method, Permission
    from iam_preflight.policy.evaluate import Decision, Reason
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions


class Use(Struct, frozen=True):
    """A permission that a method needs, and the statement that gives it."""

    permission: Permission
    decision: Decision
    confidence: Confidence
    needs_mfa: bool = False
    is_contextual: bool = False
    """Whether conditions restrict when or where it may be used: an address, an hour."""

    @property
    def reason(self) -> Reason | None:
        """The statement that gives it, the surest one where several do."""
        return max(self.decision.allowed_by, key=lambda r: r.truth, default=None)

    def place(self, actor: Principal) -> Place | None:
        """The action as it is written in the code; for an AWS-managed policy, its attachment."""
        reason = self.reason
        if reason is None:
            return None
        action = self.permission.action
        attachment = actor.attached_by_aws(reason.document)
        if attachment is not None:
            return Place(attachment.place, f"{attachment.policy.name} allows {action}")
        statement = reason.statement
        for pattern in statement.actions:
            if not statement.is_not_action and action_matches(pattern, action) is not Truth.NO:
                return Place(pattern.span, f"allows {action}")
        return Place(statement.span_of("NotAction"), f"leaves {action} allowed")

    def cause(self, actor: Principal) -> Span | None:
        """The statement that can be edited; for an AWS-managed policy, its attachment."""
        reason = self.reason
        if reason is None:
            return None
        attachment = actor.attached_by_aws(reason.document)
        return attachment.place if attachment is not None else reason.statement.span

    @property
    def wildcard(self) -> str:
        """The pattern that takes the action in, where it does not name it."""
        statement = self.reason.statement if self.reason is not None else None
        if statement is None or statement.is_not_action:
            return ""
        action = self.permission.action
        given = [p for p in statement.actions if action_matches(p, action) is not Truth.NO]
        return given[0].text if given and "*" in given[0].text else ""


class Escalation(Struct, frozen=True, eq=False):
    """One way in which an actor gains privileges."""

    actor: Principal
    method: Method
    uses: tuple[Use, ...]
    target: Principal | None = None
    """Whom the actor becomes or controls; None where it widens itself."""
    through: Workload | None = None
    confidence: Confidence = Confidence.HIGH
    assumptions: Assumptions = ()

    @property
    def needs_mfa(self) -> bool:
        return any(use.needs_mfa for use in self.uses)

    @property
    def is_guarded(self) -> bool:
        """Whether it takes a second factor, or hangs on when and where somebody tries."""
        return any(use.needs_mfa or use.is_contextual for use in self.uses)

    @property
    def is_plain_assume(self) -> bool:
        return self.method.is_plain_assume

    @property
    def actions(self) -> str:
        """`iam:PassRole and lambda:CreateFunction`, for messages."""
        names = list(dict.fromkeys(use.permission.action for use in self.uses))
        return (
            " and ".join(names) if len(names) < 3 else ", ".join(names[:-1]) + f" and {names[-1]}"
        )

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the permissions are written, each once; for a trust alone, the trust policy."""
        found = [use.place(self.actor) for use in self.uses]
        return tuple(dict.fromkeys(place for place in found if place is not None))

    @property
    def statements(self) -> tuple[Span, ...]:
        """The statements that make it possible; for an AWS-managed policy, its attachment.

        AWS's statements are the same for whoever else holds them, and nothing that can be edited.
        """
        found = (use.cause(self.actor) for use in self.uses)
        return tuple(dict.fromkeys(span for span in found if span is not None))

    def describe(self) -> str:
        """What the actor does, as a clause: `has lambda run code of its own as role batch`."""
        target = self.target.label if self.target is not None else ""
        if self.through is not None:
            return f"takes over {self.through.resource.address}, which runs as {target}"
        match self.method.kind:
            case MethodKind.NEW_PASS:
                service = self.method.trust_services[0].split(".")[-3]
                return f"has {service} run code of its own as {target}"
            case MethodKind.PRINCIPAL if self.is_plain_assume:
                return f"assumes {target}"
            case MethodKind.PRINCIPAL:
                return f"takes over {target} with {self.actions}"
            case _:
                return f"uses {self.actions}"
