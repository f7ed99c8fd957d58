"""`.iam-preflight.yaml`: what the scan cannot know by itself, typed.

The field descriptions are the documentation: the JSON Schema and the reference page are
generated from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = ".iam-preflight.yaml"

SeverityName = Literal["info", "low", "medium", "high", "critical"]
AccountId = Annotated[str, Meta(pattern=r"^\d{12}$", description="A twelve-digit account id.")]
NamePattern = Annotated[
    str, Meta(description="A name, with `*` and `?` as wildcards; case matters.")
]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the settings file; unknown keys are errors."""


class Account(Section, frozen=True):
    """One of the company's own AWS accounts."""

    name: str = ""
    environment: str = ""


class TrustedAccount(Section, frozen=True):
    """Another company's account that may be trusted."""

    name: str = ""
    first_party: bool = False
    """It belongs to the own company, in another organization."""
    unique_external_id: bool = False
    """The partner gives every customer an ExternalId of its own."""


class TagRequirement(Section, frozen=True):
    """A tag that IAM resources must carry, and what its value may be."""

    values: tuple[str, ...] = ()
    """Allowed values; empty allows any."""
    pattern: str = ""
    """A regular expression that the whole value must match. Its syntax is the part that runs
    in linear time: no look-around, no back-references, at most 500 characters."""
    is_date: bool = False
    """The value must be a date such as 2027-01-31."""
    only_for: tuple[Literal["users", "partners", "temporary"], ...] = ()
    """Required only on these; empty requires it everywhere."""

    def matches_pattern(self, value: str) -> bool:
        """Whether a value has the form of `pattern`; any value has, where there is none."""
        if not self.pattern:
            return True
        from iam_preflight.linear_regex import linear_regex

        return linear_regex(self.pattern).matches(value)


DEFAULT_ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "sandbox": ("sandbox", "sbx", "playground"),
    "dev": ("dev", "develop", "development"),
    "test": ("test", "testing", "tst", "qa", "uat", "integration"),
    "staging": ("staging", "stage", "stag", "stg", "preprod", "preproduction", "nonprod"),
    "prod": ("prod", "production", "prd", "live"),
}
DEFAULT_TAGS: dict[str, TagRequirement] = {
    "Environment": TagRequirement(),
    "Owner": TagRequirement(),
    "CreatedBy": TagRequirement(),
    "ExpirationDate": TagRequirement(is_date=True, only_for=("users", "partners", "temporary")),
}


class Settings(Section, frozen=True):
    """Everything that a repository can tell the scanner about itself."""

    fail_on: SeverityName = "medium"
    """Findings of this severity and above make the scan fail."""
    persona: Literal["regular", "pedantic", "auditor"] = "regular"
    """Who reads the report: everybody, those who want hygiene too, those who want all."""
    select: tuple[str, ...] = ()
    """Rules or families to run; empty runs all."""
    ignore: tuple[str, ...] = ()
    """Rules or families not to run."""
    severities: dict[str, SeverityName] = {}
    """Severity by rule id, instead of the rule's own."""
    lower_in: dict[str, Annotated[int, Meta(ge=1, le=4)]] = {}
    """How many steps less severe findings are in an environment: `sandbox: 2`. A path that
    leads into a more protected environment keeps its severity."""
    locked: tuple[str, ...] = ()
    """Rules or families that no comment in the code may ignore."""
    exclude: tuple[str, ...] = ()
    """Paths not to scan, as glob patterns from the folder of this file."""

    environments: dict[str, tuple[str, ...]] = msgspec.field(
        default_factory=lambda: dict(DEFAULT_ENVIRONMENTS)
    )
    """Environments from least to most protected, each with the words that mark it in names."""
    accounts: dict[AccountId, Account] = {}
    """Own accounts by id."""
    shared_accounts: tuple[AccountId, ...] = ()
    """Own accounts that serve every environment: CI, security, shared services."""
    trusted_accounts: dict[AccountId, TrustedAccount] = {}
    """Accounts of partners and vendors that are known and approved."""
    organization_ids: tuple[str, ...] = ()
    """Own organizations: `o-a1b2c3d4e5`. Where they are named, a condition on another one makes
    nobody one of yours."""

    admin_roles: tuple[NamePattern, ...] = ()
    """Roles that are meant to be administrators."""
    break_glass_roles: tuple[NamePattern, ...] = ()
    """Roles for emergencies."""
    break_glass_users: tuple[NamePattern, ...] = ()
    """Users for emergencies."""
    deployer_roles: tuple[NamePattern, ...] = ()
    """Roles of the delivery pipeline, which may manage permissions inside a boundary."""
    security_admins: tuple[NamePattern, ...] = ()
    """Roles that run the audit services."""
    audit_roles: tuple[NamePattern, ...] = ()
    """Roles that may read everything to audit it."""
    org_wide_roles: tuple[NamePattern, ...] = ()
    """Roles that every repository of the organization may assume on purpose."""
    long_session_roles: tuple[NamePattern, ...] = ()
    """Roles that need sessions longer than the limit."""
    exported: tuple[NamePattern, ...] = ()
    """Roles, policies and users that other repositories use."""

    max_session_seconds: Annotated[int, Meta(ge=900, le=43200)] = 3600
    """Longest session of a role that people or other accounts assume."""
    permission_set_hours: Annotated[int, Meta(ge=1, le=12)] = 8
    """Longest session of a permission set that is not privileged."""
    readonly_session_hours: Annotated[int, Meta(ge=1, le=12)] = 8
    """Longest session of a permission set that can only read."""

    tags: dict[str, TagRequirement] = msgspec.field(default_factory=lambda: dict(DEFAULT_TAGS))
    """Tags that IAM resources must carry."""
    stack_tags: tuple[str, ...] = ()
    """Tag keys that every CloudFormation stack is deployed with."""
    temporary_paths: tuple[str, ...] = ()
    """Paths of temporary roles and users, such as `/temporary/`."""
    max_lifetime_days: Annotated[int, Meta(ge=1)] = 365
    """How far ahead an ExpirationDate may lie."""

    dynamic_paths: tuple[str, ...] = ()
    """Paths of roles that are created by automation and must carry a boundary."""
    boundaries: tuple[str, ...] = ()
    """ARNs (wildcards allowed) of policies that are approved permissions boundaries."""

    oidc_issuers: tuple[str, ...] = ()
    """Identity providers of the own company, such as `gitlab.example.com`."""
    oidc_subjects: tuple[str, ...] = ()
    """Subjects (wildcards allowed) that may assume roles, such as `repo:my-org/*`."""

    baseline: bool | None = None
    """Whether this repository sets up audit services for its accounts; unset: work it out."""
    external_controls: tuple[
        Literal[
            "cloudtrail",
            "config",
            "guardduty",
            "access-analyzer",
            "security-hub",
            "siem",
            "scp",
            "tag-policy",
            "password-policy",
        ],
        ...,
    ] = ()
    """Controls that another repository provides."""
    max_key_age_days: Annotated[int, Meta(ge=1)] = 90
    """How old an access key may become before the Config rule reports it."""
    account_context: tuple[str, ...] = ()
    """Exports of what the accounts already hold, files or folders from the folder of this file;
    see docs/account-context.md."""
    max_context_days: Annotated[int, Meta(ge=1)] = 30
    """How old exports of accounts may be before they have to be made again."""
    max_unused_days: Annotated[int, Meta(ge=1)] = 30
    """How long credentials may lie unused before the Config rule reports them."""
    public_ok: tuple[str, ...] = ()
    """Resources (names with wildcards) that are public on purpose."""
    allowed_regions: tuple[str, ...] = ()
    """Regions that may be used; empty: no region control is asked for."""
    require_request_tags: bool = False
    """Create actions must ask for tags."""
    no_users: bool = False
    """The organization forbids IAM users; SCPs are expected to say so."""
    extra_actions: tuple[str, ...] = ()
    """Actions that exist although AWS does not list them."""
    partner_markers: tuple[str, ...] = (
        "partner",
        "vendor",
        "external",
        "thirdparty",
        "third-party",
    )
    """Words in names, paths and tags that mark a user or role as a partner's."""
    ignore_tests: bool = False
    """Folders named test, tests or examples are not scanned."""


def _is_below(file: Path, top: Path) -> bool:
    """Whether it is what it seems: a repository may hold a link to somebody else's settings."""
    return top in file.parents


def find_settings(folder: Path, top: Path) -> Path | None:
    """The settings file for a folder: the nearest one upwards, not above `top`."""
    for candidate in (folder, *folder.parents):
        file = candidate / FILE_NAME
        if file.is_file() and _is_below(file.resolve(), top.resolve()):
            return file
        if candidate == top:
            break
    return None
