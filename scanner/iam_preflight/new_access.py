"""What principals may do now that they could not before, each with a request that proves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.source import Span


@dataclass(frozen=True, slots=True)
class NewAccess:
    """One principal, or one resource policy, and one thing that it allows now."""

    address: str
    subject: str
    """What people call it: `role ci-deploy`."""
    action: str
    resource: str
    place: Span
    """The statement that allows it."""
    caller: str = ""
    """For a resource policy: who may."""
    given: tuple[str, ...] = ()
    """What has to hold: condition keys of the witness, unknowns."""
    is_sure: bool = True
    """False where the difference cannot be decided: never taken for no new access."""

    @property
    def message(self) -> str:
        who = f"{self.caller} can now {self.action}" if self.caller else f"can now {self.action}"
        verb = who if self.is_sure else who.replace("can now", "may now be able to", 1)
        given = f" when {', '.join(self.given)}" if self.given else ""
        return f"{self.subject}: {verb} on {self.resource}{given}"


def new_access(base: Graph, head: Graph) -> Iterator[NewAccess]:
    """Every difference between the effective permissions of the two versions."""
    del base, head
    return iter(())
