"""What a principal or a statement comes to, told in a few lines of Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence
from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.graph.standing import Standing
from iam_preflight.graph.trust import grants, requires_external_id
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.graph.paths import Path
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Pattern, Statement

MAX_SERVICES = 12
MAX_ACTIONS = 30
MAX_NAMES = 8
_MARKS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]<>()#+!|~"})


def code(text: str) -> str:
    """Text as inline code, whatever is in it."""
    fence = "``" if "`" in text else "`"
    inner = text.replace("\n", " ").replace("``", "` `")
    pad = " " if inner.startswith("`") or inner.endswith("`") else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def plain(text: str) -> str:
    """Text in which nothing is Markdown."""
    return text.replace("\n", " ").translate(_MARKS)


# ---------------------------------------------------------------- actions


def by_service(actions: ActionSet, catalog: Catalog) -> Iterator[str]:
    """A line for each service: how many actions of each level."""
    if actions.is_everything:
        yield "- every action of every service"
        return
    services = actions.services
    counts: list[tuple[int, str, str]] = []
    for name in services:
        service = catalog.service(name)
        mask = actions.mask(name) & service.full
        levels: dict[str, int] = {}
        for index, level in enumerate(service.levels):
            if mask >> index & 1:
                levels[level.value] = levels.get(level.value, 0) + 1
        total = sum(levels.values())
        if not total:
            continue
        if total == len(service.names):
            counts.append((total, name, f"all {total} actions"))
        else:
            told = ", ".join(f"{count} {level}" for level, count in sorted(levels.items()))
            counts.append((total, name, told))
    counts.sort(key=lambda row: (-row[0], row[1]))
    for _, name, told in sorted(counts[:MAX_SERVICES], key=lambda row: row[1]):
        yield f"- {code(name)}: {told}"
    if len(counts) > MAX_SERVICES:
        yield f"- and {len(counts) - MAX_SERVICES} more services"


def expansion(pattern: Pattern, catalog: Catalog) -> str | None:
    """What an action pattern stands for."""
    if not pattern.is_known:
        holes = ", ".join(hole.explanation for hole in pattern.holes)
        return f"**{code(pattern.text)}** is not known before deploy: {plain(holes)}"
    actions = catalog.expand(pattern.text)
    if not actions:
        near = catalog.nearest_action(pattern.text)
        hint = f" Did you mean {code(near)}?" if near is not None else ""
        return f"**{code(pattern.text)}** is no action that AWS has.{hint}"
    names = [] if actions.is_everything else list(actions)
    if len(names) == 1:
        action = catalog.action(names[0])
        if action is None:
            return None
        lines = [f"**{code(action.full_name)}**: {action.level.value}"]
        if action.is_only_star:
            lines.append('takes no resource: only `"*"` can grant it')
        else:
            kinds = ", ".join(dict.fromkeys(code(use.type.glob) for use in action.resources))
            lines.append(f"resources: {kinds}")
        if action.condition_keys:
            keys = sorted(action.condition_keys)
            told = ", ".join(code(key) for key in keys[:MAX_NAMES])
            more = f" and {len(keys) - MAX_NAMES} more" if len(keys) > MAX_NAMES else ""
            lines.append(f"condition keys: {told}{more}")
        return "\n\n".join(lines)
    lines = [f"**{code(pattern.text)}** stands for {len(actions):,} actions", ""]
    lines.extend(by_service(actions, catalog))
    if 1 < len(names) <= MAX_ACTIONS:
        lines += ["", ", ".join(code(name) for name in names)]
    return "\n".join(lines)


# ---------------------------------------------------------------- principals


def headline(principal: Principal, graph: Graph) -> str:
    """In one line, for a lens: what it comes to."""
    standing = graph.standing(principal)
    if standing is Standing.ADMIN:
        return "administrator"
    path = graph.paths.to_admin(principal)
    if path is not None:
        steps = len(path.hops)
        unsure = "" if path.confidence is Confidence.HIGH else "may be able to "
        verb = f"{unsure}become" if unsure else "can become"
        return f"{verb} administrator in {steps} step{'' if steps == 1 else 's'}"
    if standing is Standing.ESCALATING:
        return "can make itself administrator"
    possible = graph.effective(principal).possible
    if possible.is_everything:
        return "may do everything, within limits"
    count = len(possible)
    if not count:
        return "may do nothing"
    services = len(possible.services)
    told = f"may do {count:,} action{'' if count == 1 else 's'}"
    told += f" in {services} service{'' if services == 1 else 's'}"
    return f"{told}, some sensitive" if standing is Standing.SENSITIVE else told


def principal_text(principal: Principal, graph: Graph) -> str:
    """What it can do, who can assume it, its boundary, the paths from it and to it."""
    effective = graph.effective(principal)
    lines = [f"**{plain(principal.label)}**: {headline(principal, graph)}", ""]
    if effective.possible:
        lines.append("May do, all policies together:")
        lines.append("")
        lines.extend(by_service(effective.possible, effective.catalog))
        lines.append("")
    if principal.unresolved:
        whys = dict.fromkeys(hole.explanation for _, hole in principal.unresolved)
        lines += [f"Policies that are not here: {plain(', '.join(whys))}", ""]
    if principal.is_role:
        lines.extend(_admitted(principal, graph))
    lines.append(_boundary(principal))
    lines.append("")
    lines.extend(_paths(principal, graph))
    return "\n".join(lines).rstrip()


def _admitted(principal: Principal, graph: Graph) -> Iterator[str]:
    if principal.trust is None:
        yield "Who can assume it is not known."
        yield ""
        return
    who: dict[str, None] = {}
    for grant in grants(principal.trust, graph.accounts):
        told = code(grant.principal.pattern.text)
        if grant.principal.kind == "*" or grant.principal.pattern.text == "*":
            told = "everybody"
        conditions = [condition.key.text for condition in grant.statement.conditions]
        if requires_external_id(grant.statement):
            conditions = [key for key in conditions if key.lower() != "sts:externalid"]
            told += " with an ExternalId"
        if conditions:
            told += f" if {', '.join(code(key) for key in dict.fromkeys(conditions))}"
        who[told] = None
    names = list(who)
    yield f"Can be assumed by: {', '.join(names[:MAX_NAMES]) or 'nobody'}"
    if len(names) > MAX_NAMES:
        yield f"and {len(names) - MAX_NAMES} more"
    yield ""


def _boundary(principal: Principal) -> str:
    boundary = principal.boundary
    if principal.kind is PrincipalKind.GROUP:
        return ""
    if boundary is None:
        return "No permissions boundary."
    if boundary.policy is None:
        return "Permissions boundary: a policy that is not here."
    return f"Permissions boundary: {plain(boundary.policy.name)}"


def _paths(principal: Principal, graph: Graph) -> Iterator[str]:
    path = graph.paths.to_admin(principal)
    if path is not None:
        yield "Path to administrator:"
        yield ""
        yield from told_path(path)
        yield ""
    for escalation in sorted(graph.powers.of_self(principal), key=lambda one: -one.confidence)[:1]:
        yield f"Can widen its own permissions: {plain(escalation.describe())}"
        yield ""
    into = list(graph.escalations.into(principal, set(map(id, graph.principals))))
    if into:
        yield "Others become it:"
        yield ""
        for hop in into[:MAX_NAMES]:
            yield f"- {plain(hop.actor.label)} {plain(hop.describe())}"
        if len(into) > MAX_NAMES:
            yield f"- and {len(into) - MAX_NAMES} more"


def told_path(path: Path) -> Iterator[str]:
    for number, hop in enumerate(path.hops, 1):
        yield f"{number}. {plain(hop.actor.label)} {plain(hop.describe())}"
    yield f"{len(path.hops) + 1}. {plain(path.end.label)} is administrator, or can make itself one"


# ---------------------------------------------------------------- policies and statements

USES = {
    DocumentUse.IDENTITY: "identity policy",
    DocumentUse.TRUST: "trust policy",
    DocumentUse.RESOURCE: "resource policy",
    DocumentUse.BOUNDARY: "permissions boundary",
    DocumentUse.SCP: "service control policy",
    DocumentUse.RCP: "resource control policy",
    DocumentUse.SESSION: "session policy",
    DocumentUse.ENDPOINT: "endpoint policy",
    DocumentUse.UNATTACHED: "policy",
}


def policy_text(policy: Policy, graph: Graph) -> str:
    """What a policy is used for, who holds it, and what it alone would give."""
    lines = [f"**{plain(policy.name)}**: {USES[policy.use]}", ""]
    lines.extend(_held_by([policy]))
    if policy.use in (DocumentUse.IDENTITY, DocumentUse.BOUNDARY):
        effective = graph.permissions.of_document(policy.document)
        lines.extend(by_service(effective.possible, effective.catalog))
    return "\n".join(lines).rstrip()


def _held_by(policies: Iterable[Policy]) -> Iterator[str]:
    holders = dict.fromkeys(one.label for policy in policies for one in policy.holders)
    bounds = dict.fromkeys(one.label for policy in policies for one in policy.bounds)
    if holders:
        names = list(holders)
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        yield f"Held by {plain(', '.join(names[:MAX_NAMES]))}{more}"
        yield ""
    if bounds:
        yield f"Bounds {plain(', '.join(list(bounds)[:MAX_NAMES]))}"
        yield ""


def statement_text(statement: Statement, policies: list[Policy], graph: Graph) -> str:
    """What a statement says, and what of it its holders really may do."""
    from iam_preflight.policy.effective import statement_actions

    policy = policies[0]
    catalog = graph.permissions.evaluator.catalog
    actions = statement_actions(statement, catalog)
    sid = f" {code(statement.sid)}" if statement.sid else ""
    use = USES[policy.use]
    lines = [f"**{statement.effect.value}**{sid} in the {use} {plain(policy.name)}", ""]
    lines.extend(by_service(actions, catalog))
    lines.append("")
    lines.extend(_held_by(policies))
    if statement.is_allow and policy.use is DocumentUse.IDENTITY:
        lines.extend(_left(actions, policies, graph))
    holes = [hole for pattern in statement.resources for hole in pattern.holes]
    if holes:
        whys = dict.fromkeys(hole.explanation for hole in holes)
        lines += [f"Not known before deploy: {plain(', '.join(whys))}", ""]
    return "\n".join(lines).rstrip()


def _left(actions: ActionSet, policies: list[Policy], graph: Graph) -> Iterator[str]:
    """For holders whom other policies take something of it away from."""
    for holder in dict.fromkeys(one for policy in policies for one in policy.holders):
        left = actions & graph.effective(holder).possible
        lost = len(actions) - len(left)
        if lost > 0:
            yield f"Of the {len(actions):,} actions, boundary, denials and control policies leave"
            yield f"{plain(holder.label)} {len(left):,}."
            yield ""


def managed_text(name: str, graph: Graph) -> str | None:
    """What a policy of AWS's gives."""
    from iam_preflight.knowledge.managed import managed_policy

    document = managed_policy(name)
    if document is None:
        return None
    effective = graph.permissions.of_document(document)
    title = name.rpartition("/")[2]
    lines = [f"**{plain(title)}**: {Origin.AWS_MANAGED.value} policy", ""]
    if effective.is_admin is Truth.YES:
        lines += ["Whoever holds it is an administrator.", ""]
    lines.extend(by_service(effective.possible, effective.catalog))
    return "\n".join(lines)
