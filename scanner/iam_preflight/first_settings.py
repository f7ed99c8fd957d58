"""A first settings file for a repository: what its code says about itself.

Facts (own accounts, organizations, identity providers) are written as they are. Whatever would
excuse something (partners, administrators, long sessions) is only proposed, as a comment: that
is for people to decide.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from iam_preflight.graph.accounts import Ownership, account_of
from iam_preflight.graph.environments import Environments
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.tags import tags_of
from iam_preflight.graph.trust import grants, requires_external_id
from iam_preflight.knowledge.accounts import known_account
from iam_preflight.knowledge.issuers import issuer_of
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.reporters.escape import visible
from iam_preflight.settings import DEFAULT_ENVIRONMENTS, DEFAULT_TAGS, TagRequirement
from iam_preflight.values import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.policy.document import Statement

T = TypeVar("T")

MAX_LISTED = 40
"""Of anything, this many are written; the rest would not be read."""
MAX_VALUES = 6
"""A tag with at most so many values has a list of them."""
COMMON = 0.5
"""A tag that so many of the resources carry is one that is asked for."""

_ORGANIZATION = re.compile(r"\bo-[a-z0-9]{10,32}\b")
_ISSUER = re.compile(r"oidc-provider/(?:https://)?(.+)$")
_REPOSITORY = re.compile(r"repo:([\w.-]+)/")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


class Facts(Struct):
    """What the code says, each with how often."""

    accounts: dict[str, str] = field(default_factory=dict)
    """Own accounts and the environment that their folders name, if any."""
    organizations: Counter[str] = field(default_factory=Counter)
    environments: Counter[str] = field(default_factory=Counter)
    unknown_environments: Counter[str] = field(default_factory=Counter)
    """Values of environment tags that no known word covers."""
    tags: Counter[str] = field(default_factory=Counter)
    tag_values: dict[str, Counter[str]] = field(default_factory=dict)
    taggable: int = 0
    partners: dict[str, list[str]] = field(default_factory=dict)
    """Foreign accounts and the roles they may assume."""
    without_external_id: set[str] = field(default_factory=set)
    issuers: Counter[str] = field(default_factory=Counter)
    subjects: Counter[str] = field(default_factory=Counter)
    administrators: list[str] = field(default_factory=list)
    long_sessions: dict[str, int] = field(default_factory=dict)
    boundaries: Counter[str] = field(default_factory=Counter)


def collect(graph: Graph) -> Facts:
    facts = Facts()
    _accounts(graph, facts)
    _tags(graph, facts)
    for principal in graph.principals:
        if principal.environment is not None:
            facts.environments[principal.environment] += 1
        _trust(principal, graph, facts)
        _role(principal, graph, facts)
    for policy in graph.policies:
        for statement in policy.document.statements:
            _statement(statement, facts)
    return facts


def _accounts(graph: Graph, facts: Facts) -> None:
    known = Environments(graph.settings)
    guesses: dict[str, Counter[str]] = {}
    for resource in graph.resources:
        for account in resource.provider.account_ids:
            guess = known.in_text(resource.deployment.path) or ""
            guesses.setdefault(account, Counter())[guess] += 1
    for account in sorted(graph.accounts.own):
        found = guesses.get(account, Counter())
        best = found.most_common(2)
        is_sure = len(best) == 1
        facts.accounts[account] = best[0][0] if is_sure else ""


def _tags(graph: Graph, facts: Facts) -> None:
    known = Environments(graph.settings)
    taggable = resource_types().taggable
    for resource in graph.resources:
        if resource.is_data or resource.type not in taggable:
            continue
        facts.taggable += 1
        tags = tags_of(resource)
        for key in tags.values:
            if "«" in key:
                continue
            facts.tags[key] += 1
            text = tags.text(key)
            if text is None:
                continue
            facts.tag_values.setdefault(key, Counter())[text] += 1
            if key.lower() in ("environment", "env", "stage") and known.canonical(text) is None:
                facts.unknown_environments[text] += 1


def _trust(principal: Principal, graph: Graph, facts: Facts) -> None:
    for grant in grants(principal.trust, graph.accounts):
        if grant.is_federated:
            issuer = _ISSUER.search(grant.principal.pattern.text)
            if issuer is not None and _is_own(issuer[1]):
                facts.issuers[issuer[1]] += 1
        pattern = grant.principal.pattern
        account = account_of(pattern)
        if pattern.is_sensitive:
            continue
        if grant.ownership is Ownership.EXTERNAL and isinstance(account, str):
            roles = facts.partners.setdefault(account, [])
            if principal.name.text not in roles:
                roles.append(principal.name.text)
            if not requires_external_id(grant.statement):
                facts.without_external_id.add(account)


def _is_own(issuer: str) -> bool:
    """Whether an issuer may be the company's own: none that others use, too, and no blank."""
    known = issuer_of(issuer)
    is_shared = known is not None and known.is_shared
    return not is_shared and not any(mark in issuer for mark in "«<*")


def _role(principal: Principal, graph: Graph, facts: Facts) -> None:
    name = principal.name
    boundary = principal.boundary
    if boundary is not None and boundary.policy is not None:
        facts.boundaries[boundary.policy.name] += 1
    if not name.is_known or principal.kind is PrincipalKind.GROUP:
        return
    if graph.powers.is_admin(principal):
        facts.administrators.append(name.text)
    seconds = (
        number_of(value) if (value := principal.resource.get("max_session_duration")) else None
    )
    if seconds is not None and seconds > graph.settings.max_session_seconds:
        facts.long_sessions[name.text] = int(seconds)


def _statement(statement: Statement, facts: Facts) -> None:
    for condition in statement.conditions:
        values = [value.text for value in condition.values]
        if condition.key_name.startswith("aws:principalorg"):
            facts.organizations.update(
                found for value in values for found in _ORGANIZATION.findall(value)
            )
        if condition.key_name.endswith(":sub"):
            for value in values:
                repository = _REPOSITORY.match(value)
                if repository is not None:
                    facts.subjects[f"repo:{repository[1]}/*"] += 1


# ---------------------------------------------------------------- writing


def write_settings(facts: Facts) -> str:
    """The file, with a comment on everything."""
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: Facts) -> Iterator[str]:
    yield "# Settings of IAM Preflight. docs/settings.md explains every key; what is not here has"
    yield "# its default. Lines that begin with `#:` are proposals: they would excuse something, so"
    yield "# uncomment them only after a look."
    yield ""
    yield "# Findings of this severity and above make a scan fail: info to critical."
    yield "fail_on: medium"
    yield from _account_lines(facts)
    yield from _organization_lines(facts)
    yield from _environment_lines(facts)
    yield from _tag_lines(facts)
    yield from _federation_lines(facts)
    yield from _partner_lines(facts)
    yield from _role_lines(facts)


def _account_lines(facts: Facts) -> Iterator[str]:
    yield ""
    yield "# Own accounts. Every other account is a stranger's until it is named here or below."
    if not facts.accounts:
        yield "# The code names none: providers with allowed_account_ids would."
        yield '#: accounts:\n#:   "111122223333": {name: main, environment: prod}'
        return
    yield "accounts:"
    for account, environment in _first(facts.accounts.items()):
        value = f"{{environment: {environment}}}" if environment else "{}"
        yield f'  "{account}": {value}'


def _organization_lines(facts: Facts) -> Iterator[str]:
    if facts.organizations:
        yield ""
        yield "# Own organizations: conditions on aws:PrincipalOrgID name them."
        yield f"organization_ids: {_listed(facts.organizations)}"


def _environment_lines(facts: Facts) -> Iterator[str]:
    yield ""
    found = ", ".join(_safe(name) for name, _ in facts.environments.most_common(MAX_LISTED))
    yield "# Environments from least to most protected, with the words that mark them in account"
    yield f"# names, tags, paths and names. Found here: {found or 'none'}."
    if facts.unknown_environments:
        strange = ", ".join(_safe(one) for one, _ in facts.unknown_environments.most_common(10))
        yield f"# Tags with values that no environment knows: {strange}."
    yield "environments:"
    for name, words in DEFAULT_ENVIRONMENTS.items():
        yield f"  {name}: [{', '.join(words)}]"
    yield "# How many steps less severe findings are in an environment."
    yield "#: lower_in: {sandbox: 1}"


def _tag_lines(facts: Facts) -> Iterator[str]:
    """The tags that the practices ask for, as the code spells them; others as a proposal."""
    yield ""
    yield "# Tags that every IAM resource must carry, spelled as they are here."
    yield "tags:"
    spelled = {key.lower(): key for key, _ in reversed(facts.tags.most_common())}
    for key, requirement in DEFAULT_TAGS.items():
        own = spelled.pop(key.lower(), key)
        yield f"  {_scalar(own)}: {_requirement(own, requirement, facts)}"
    limit = COMMON * max(facts.taggable, 1)
    others = [key for key in spelled.values() if facts.tags[key] >= limit]
    if others:
        yield "  # Most resources carry these, too:"
        for key in _first(sorted(others)):
            yield f"  #: {_scalar(key)}: {_requirement(key, TagRequirement(), facts)}"


def _requirement(key: str, requirement: TagRequirement, facts: Facts) -> str:
    if requirement.is_date:
        return f"{{is_date: true, only_for: [{', '.join(requirement.only_for)}]}}"
    values = facts.tag_values.get(key, Counter())
    is_closed = 1 < len(values) <= MAX_VALUES and values.total() == facts.tags[key]
    return f"{{values: {_listed(values)}}}" if is_closed else "{}"


def _federation_lines(facts: Facts) -> Iterator[str]:
    if facts.issuers:
        yield ""
        yield "# Identity providers of your own. Shared ones, such as GitHub's, are known."
        yield f"oidc_issuers: {_listed(facts.issuers)}"
    if facts.subjects:
        yield ""
        yield "# Subjects that may assume roles through them, however wide a role's trust is."
        yield f"#: oidc_subjects: {_listed(facts.subjects)}"


def _partner_lines(facts: Facts) -> Iterator[str]:
    yield ""
    yield "# Accounts of partners and vendors that you trust. These may assume roles here:"
    if not facts.partners:
        yield "# none was found."
        return
    yield "#: trusted_accounts:"
    for account, roles in _first(sorted(facts.partners.items())):
        known = known_account(account)
        name = f"{{name: {_scalar(known.name)}}}" if known is not None else "{name: unknown}"
        doubt = ", without an ExternalId" if account in facts.without_external_id else ""
        yield f'#:   "{account}": {name}  # {_safe(", ".join(roles[:3]))}{doubt}'


def _role_lines(facts: Facts) -> Iterator[str]:
    for title, key, names in (
        ("Roles that are meant to be administrators.", "admin_roles", facts.administrators),
        (
            "Roles that need sessions longer than the limit.",
            "long_session_roles",
            list(facts.long_sessions),
        ),
        ("Policies that are approved permissions boundaries.", "boundaries", _arns(facts)),
    ):
        if names:
            yield ""
            yield f"# {title} Found here:"
            yield f"#: {key}: {_listed(dict.fromkeys(names))}"


def _arns(facts: Facts) -> list[str]:
    return [f"arn:aws:iam::*:policy/{name}" for name, _ in facts.boundaries.most_common()]


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(_scalar(name) for name in _first(sorted(names)))}]"


def _first(items: Iterable[T]) -> list[T]:
    return list(items)[:MAX_LISTED]


def _scalar(text: str) -> str:
    """Text from the code as YAML: quoted unless it is a plain word."""
    text = _safe(text)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _safe(text: str) -> str:
    return visible(text)[:200]
