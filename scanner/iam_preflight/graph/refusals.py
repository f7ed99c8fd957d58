"""What AWS will refuse of a policy when it is deployed, as far as the code decides that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.policy.document import NO_STATEMENT
from iam_preflight.policy.grammar import EMPTY_PRINCIPAL, grammar_problems

_EMPTY = frozenset({NO_STATEMENT, EMPTY_PRINCIPAL})

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Policy
    from iam_preflight.policy.document import GrammarProblem


def refusals(policy: Policy) -> Iterator[GrammarProblem]:
    """What AWS refuses; not that a policy, or a principal, is empty which variables are to fill."""
    for problem in grammar_problems(policy.document, policy.use):
        if problem.message not in _EMPTY or not _is_left_open(policy):
            yield problem


def _is_left_open(policy: Policy) -> bool:
    """Whether its text hangs on variables that have their defaults: who deploys it gives them."""
    entries = policy.resource.attributes.entries
    defaults_behind = getattr(entries, "defaults_behind", None)
    return defaults_behind is not None and bool(defaults_behind(policy.attribute))
