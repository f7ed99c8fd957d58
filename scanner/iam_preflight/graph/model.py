"""What the graph is made of: principals, the policies they hold, the workloads that run as them.

`Graph` is what rules see. It is built once by `build.py` and not changed afterwards; answers
that cost something are worked out on first use and remembered.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.masking import Secrets
from iam_preflight.policy.document import DocumentUse, Pattern, Resolution
from iam_preflight.values import Reason

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from iam_preflight.errors import Problem
    from iam_preflight.graph.accounts import AccountBook
    from iam_preflight.graph.admission import Admissions
    from iam_preflight.graph.credentials import Credentials
    from iam_preflight.graph.effective import Permissions
    from iam_preflight.graph.escalations import Escalations
    from iam_preflight.graph.exposure import Exposures
    from iam_preflight.graph.lookup import Lookup
    from iam_preflight.graph.paths import Paths
    from iam_preflight.graph.powers import Powers
    from iam_preflight.graph.standing import Standing
    from iam_preflight.graph.tags import Tags
    from iam_preflight.policy.document import Document, Statement
    from iam_preflight.policy.effective import Effective
    from iam_preflight.resources import Resource, SwitchedOff
    from iam_preflight.settings import Settings
    from iam_preflight.source import SourceFile, Span
    from iam_preflight.values import Assumptions, Unknown, Value


class PrincipalKind(Enum):
    ROLE = "role"
    USER = "user"
    GROUP = "group"
    PERMISSION_SET = "permission_set"
    HOLDER = "holder"
    """Whoever will be given a policy that the code attaches to nobody."""

    @property
    def arn_type(self) -> str:
        """What stands before its name in an ARN."""
        return "permissionSet" if self is PrincipalKind.PERMISSION_SET else self.value


class Origin(Enum):
    """Where a policy's text lives."""

    INLINE = "inline"
    CUSTOMER_MANAGED = "customer managed"
    AWS_MANAGED = "AWS managed"


class Policy(Struct, eq=False):
    """A policy document with its use and those who hold it."""

    document: Document
    use: DocumentUse
    resource: Resource
    """The resource whose text it is; for an AWS-managed policy, the first that attaches it."""
    attribute: str
    origin: Origin
    name: str
    arn: Pattern | None = None
    attachments: list[Attachment] = field(default_factory=list)
    recorded: Policy | None = None
    """The same policy as a snapshot of the account has it, before the change."""
    bounds: list[Principal] = field(default_factory=list)
    """Principals whose permissions boundary it is."""
    is_boundary: bool = False
    """It is, or is required to be, somebody's permissions boundary."""
    is_source_only: bool = False
    """A policy document block that nothing here consumes."""
    is_composed: bool = False
    """It has no text: it is what the attributes of its resource grant."""

    @property
    def address(self) -> str:
        return self.resource.address

    def resource_at(self, _place: Span) -> Resource:
        """The resource to name for a place in it."""
        return self.resource

    @property
    def holders(self) -> Iterator[Principal]:
        return (attachment.principal for attachment in self.attachments)

    @property
    def is_attached(self) -> bool:
        return bool(self.attachments)

    def __repr__(self) -> str:
        return f"Policy({self.address}.{self.attribute}, {self.use.value})"


class Attachment(Struct, eq=False):
    """That a principal holds a policy, and where that is written."""

    principal: Principal
    policy: Policy
    place: Span
    assumptions: Assumptions = ()


class OutsideAttachment(Struct, eq=False):
    """That a principal which is not in the code holds a managed policy."""

    kind: PrincipalKind
    policy: Policy
    resource: Resource
    """The resource that attaches it."""
    place: Span
    assumptions: Assumptions = ()


class Membership(Struct, eq=False):
    """That a user is in a group, and where that is written."""

    user: Principal
    group: Principal
    place: Span


class Boundary(Struct, eq=False):
    """A principal's permissions boundary; `policy` is None when its document is not here."""

    value: Value
    policy: Policy | None
    place: Span
    absent: Assumptions = ()
    """With what the principal is left without it; nothing where it always has one."""


class Workload(Struct, eq=False):
    """A resource that runs as, or hands out, a role."""

    resource: Resource
    attribute: str
    role: Principal
    place: Span


class Principal(Struct, eq=False):
    """A role, user, group or permission set."""

    kind: PrincipalKind
    resource: Resource
    name: Pattern
    path: str
    arn: Pattern
    tags: Tags
    account: str | None = None
    environment: str | None = None
    attachments: list[Attachment] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    """For a user, its groups; for a group, its users."""
    boundary: Boundary | None = None
    trust: Policy | None = None
    workloads: list[Workload] = field(default_factory=list)
    recorded: Principal | None = None
    """The same principal as a snapshot of the account has it, before the change."""
    unresolved: list[tuple[Span, Unknown]] = field(default_factory=list)
    """Attached policies whose documents are not here: where, and why."""
    is_elsewhere: bool = False
    """Whether the code gives it policies and does not make it; `resource` is what gives one."""

    @property
    def address(self) -> str:
        return self.resource.address

    @property
    def label(self) -> str:
        """What people call it: `role ci-deploy`, or its address where the name is not known."""
        if self.kind is PrincipalKind.HOLDER:
            return f"whoever holds {self.resource.address}"
        kind = self.kind.value.replace("_", " ")
        if self.is_elsewhere and not self.name.is_known:
            return f"the {kind} that {self.resource.address} is for"
        return f"{kind} {self.name.text if self.name.is_known else self.resource.address}"

    def resource_at(self, place: Span) -> Resource:
        """The resource to name for a place: of what the code does not make, what gives it that."""
        if self.is_elsewhere:
            for given in (attachment.policy.resource for attachment in self.attachments):
                if given.span.contains(place):
                    return given
        return self.resource

    def hold(self, policy: Policy, place: Span, assumptions: Assumptions = ()) -> None:
        """Attaches a policy, so that each of the two knows of the other."""
        attachment = Attachment(self, policy, place, assumptions)
        self.attachments.append(attachment)
        policy.attachments.append(attachment)

    @property
    def is_role(self) -> bool:
        return self.kind is PrincipalKind.ROLE

    @property
    def is_user(self) -> bool:
        return self.kind is PrincipalKind.USER

    @property
    def is_service_linked(self) -> bool:
        return self.path.startswith("/aws-service-role/")

    @property
    def is_from_identity_center(self) -> bool:
        """A role that IAM Identity Center made for a permission set."""
        return self.path.startswith("/aws-reserved/sso") or (
            self.name.text.startswith("AWSReservedSSO_")
        )

    def is_listed(self, patterns: Iterable[str]) -> bool:
        """Whether its name or ARN is among patterns from the settings."""
        texts = (self.name.text, self.arn.text)
        return any(fnmatchcase(text, pattern) for pattern in patterns for text in texts)

    @property
    def groups(self) -> Iterator[Principal]:
        if self.is_user:
            yield from (membership.group for membership in self.memberships)

    def held(self) -> Iterator[Attachment]:
        """Every identity policy that applies to it, own and through groups."""
        yield from self.attachments
        for group in self.groups:
            yield from group.attachments

    def attached_by_aws(self, document: Document) -> Attachment | None:
        """How it came by a document that AWS wrote; None where the code wrote it."""
        for attachment in self.held():
            policy = attachment.policy
            if policy.document is document and policy.origin is Origin.AWS_MANAGED:
                return attachment
        return None

    def __repr__(self) -> str:
        return f"Principal({self.kind.value} {self.address})"


SETTLED_BY_AWS = frozenset({Reason.ACCOUNT, Reason.REGION, Reason.PARTITION, Reason.COMPUTED})
"""Holes that nobody can fill before deploy, and that say enough as they are."""


class Coverage(Struct, frozen=True):
    """How many policies could be worked out, and why the others could not."""

    principals: int = 0
    full: int = 0
    """Known but for what only AWS can fill in: account, region, names it makes up."""
    partly: int = 0
    none: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    """What would resolve the rest, with how many policies wait for it, most first."""
    switched_off: tuple[tuple[SwitchedOff, int], ...] = ()
    """What keeps blocks from being there by default, with how many, most first."""

    @property
    def policies(self) -> int:
        return self.full + self.partly + self.none


class Graph(Struct, eq=False):
    """Everything the rules may ask."""

    settings: Settings
    resources: tuple[Resource, ...]
    principals: tuple[Principal, ...]
    policies: tuple[Policy, ...]
    """Every document in the code, whatever its use; AWS-managed ones are not among them."""
    managed: tuple[Policy, ...]
    """AWS-managed policies that are attached somewhere."""
    workloads: tuple[Workload, ...]
    outside: tuple[OutsideAttachment, ...]
    """Managed policies that are attached to principals which are not in the code."""
    elsewhere: tuple[Principal, ...]
    """Those principals themselves, with what the code gives them."""
    accounts: AccountBook
    lookup: Lookup
    today: dt.date
    """The day on which dates and time conditions are judged."""
    missing_modules: tuple[Problem, ...] = ()
    """Modules and nested stacks that are not here: they may bring what the code seems to lack."""
    sources: tuple[SourceFile, ...] = ()
    """Every file that was read, whether or not anything in it matters here."""
    secrets: Secrets = field(default_factory=Secrets)
    """What is marked as sensitive: nobody may write it."""
    faults: tuple[Problem, ...] = ()
    """Resources that we failed on: they are not, or not wholly, in the graph."""
    switched_off: tuple[SwitchedOff, ...] = ()
    """For each block that makes nothing by default: why."""
    _by_type: dict[str, list[Resource]] = field(default_factory=dict)
    _by_name: dict[str, dict[str, list[Resource]]] = field(default_factory=dict)
    """By type, then by any of the texts that may stand for a resource's name."""
    _by_folder: dict[str, list[SourceFile]] = field(default_factory=dict)
    _permissions: Permissions | None = None
    _credentials: Credentials | None = None
    _escalations: Escalations | None = None
    _exposures: Exposures | None = None
    _admissions: Admissions | None = None
    _paths: Paths | None = None
    _standings: dict[int, Standing] = field(default_factory=dict)

    @property
    def permissions(self) -> Permissions:
        if self._permissions is None:
            from iam_preflight.graph.effective import Permissions

            self._permissions = Permissions(self.resources, self.policies, self.today)
        return self._permissions

    @property
    def credentials(self) -> Credentials:
        """What users sign in with."""
        if self._credentials is None:
            from iam_preflight.graph.credentials import Credentials

            self._credentials = Credentials(self)
        return self._credentials

    @property
    def escalations(self) -> Escalations:
        if self._escalations is None:
            from iam_preflight.graph.escalations import Escalations

            self._escalations = Escalations(self)
        return self._escalations

    @property
    def powers(self) -> Powers:
        """What principals may do that is worth having."""
        return self.escalations.powers

    @property
    def admissions(self) -> Admissions:
        """Who from outside the resources' own policies let in."""
        if self._admissions is None:
            from iam_preflight.graph.admission import Admissions

            self._admissions = Admissions(self)
        return self._admissions

    @property
    def exposures(self) -> Exposures:
        """What the statements of identity policies leave open, and to whom."""
        if self._exposures is None:
            from iam_preflight.graph.exposure import Exposures

            self._exposures = Exposures(self)
        return self._exposures

    @property
    def paths(self) -> Paths:
        if self._paths is None:
            from iam_preflight.graph.paths import Paths

            self._paths = Paths(self)
        return self._paths

    def standing(self, principal: Principal) -> Standing:
        """How much a principal may do: ordinary, sensitive, escalating or administrator."""
        found = self._standings.get(id(principal))
        if found is None:
            from iam_preflight.graph.standing import standing_of

            found = self._standings[id(principal)] = standing_of(principal, self)
        return found

    def effective(self, principal: Principal) -> Effective:
        """What a principal may do, all its policies taken together."""
        return self.permissions.of(principal)

    def of_type(self, *types: str) -> list[Resource]:
        """Resources of the given types, in the order of the scan; data sources left out."""
        if not self._by_type:
            for resource in self.resources:
                if not resource.is_data:
                    self._by_type.setdefault(resource.type, []).append(resource)
        return [resource for name in types for resource in self._by_type.get(name, ())]

    def named(self, resource_type: str, name: str) -> list[Resource]:
        """Resources of a type whose name, bucket or ARN is written as this text."""
        by_name = self._by_name.get(resource_type)
        if by_name is None:
            by_name = self._by_name[resource_type] = {}
            for resource in self.of_type(resource_type):
                written = {resource.text(key) for key in ("name", "bucket", "arn")}
                for text in written - {None}:
                    by_name.setdefault(str(text), []).append(resource)
        return by_name.get(name, [])

    def sources_in(self, folder: str) -> list[SourceFile]:
        """The files that were read in one folder, not those further down."""
        if not self._by_folder:
            for source in self.sources:
                self._by_folder.setdefault(source.path.rpartition("/")[0], []).append(source)
        return self._by_folder.get(folder, [])

    def of_kind(self, *kinds: PrincipalKind) -> Iterator[Principal]:
        return (principal for principal in self.principals if principal.kind in kinds)

    @property
    def roles(self) -> Iterator[Principal]:
        return self.of_kind(PrincipalKind.ROLE)

    @property
    def users(self) -> Iterator[Principal]:
        return self.of_kind(PrincipalKind.USER)

    def principal_named(self, resource: Resource, attribute: str) -> Principal | None:
        """The principal that an attribute of a resource names."""
        value = resource.get(attribute)
        for _, principal, _ in self.lookup.find_all(value, Principal, resource):
            return principal
        return None

    def principals_named(self, resource_type: str, attribute: str) -> frozenset[int]:
        """The identities of the principals that resources of a type name."""
        named = (self.principal_named(one, attribute) for one in self.of_type(resource_type))
        return frozenset(id(principal) for principal in named if principal is not None)

    def statements(self, *uses: DocumentUse) -> Iterator[tuple[Statement, Policy]]:
        """Statements of the documents with one of the given uses."""
        for policy in self.policies:
            if policy.use in uses:
                for statement in policy.document.statements:
                    yield statement, policy

    def coverage(self) -> Coverage:
        counts = dict.fromkeys(Resolution, 0)
        reasons: dict[str, int] = {}
        for policy in self.policies:
            if policy.is_source_only or policy.is_composed or policy.resource.is_recorded:
                continue
            open_holes = [h for h in policy.document.holes if h.reason not in SETTLED_BY_AWS]
            resolution = policy.document.resolution
            if resolution is Resolution.PARTLY and not open_holes:
                resolution = Resolution.FULL
            counts[resolution] += 1
            if resolution is not Resolution.FULL:
                for hole in open_holes:
                    reasons[hole.explanation] = reasons.get(hole.explanation, 0) + 1
        ordered: Sequence[tuple[str, int]] = sorted(
            reasons.items(), key=lambda item: (-item[1], item[0])
        )
        return Coverage(
            sum(1 for principal in self.principals if not principal.resource.is_recorded),
            counts[Resolution.FULL],
            counts[Resolution.PARTLY],
            counts[Resolution.NONE],
            tuple(ordered),
            tuple(Counter(self.switched_off).most_common()),
        )
