"""The resource model: what both front ends hand to the graph.

One vocabulary: types and attributes carry Terraform's names (`aws_iam_role`,
`max_session_duration`), and the CloudFormation front end translates (`AWS::IAM::Role`,
`MaxSessionDuration`), so that everything after this point is written once. `native_type` and
`address` stay as their own language writes them, for people.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.values import (
    CycleError,
    Known,
    Mapping,
    Value,
    arms_of,
    blocks_of,
    is_null,
    items_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions


class Framework(Enum):
    TERRAFORM = "terraform"
    PLAN = "terraform_plan"
    CLOUDFORMATION = "cloudformation"
    PIPELINE = "pipeline"
    """Not deployed itself: what deploys."""
    ACCOUNT = "account"
    """Not code: what a snapshot says that an account already holds."""


class Deployment(Struct, frozen=True):
    """What is deployed as one: a Terraform root module or a CloudFormation stack."""

    path: str
    """The root module's directory or the template's file, relative to the scan's root."""
    framework: Framework
    workspace: str = ""
    hints: tuple[str, ...] = ()
    """Names that may tell the environment: var-files, stack name, parameter values."""
    is_library: bool = False
    """A module for others to call, which is only here by itself."""


class SwitchedOff(Struct, frozen=True):
    """Why a block makes nothing, where a deployment may decide otherwise."""

    switch: str
    """What is left at its default: `var.create_user`."""
    path: str
    """The deployment that it is a variable of."""


class Provider(Struct, frozen=True):
    """The provider configuration in use: where resources go and which tags they all get.

    `settings` is what the provider block says (or what stands for it in a stack), evaluated on
    demand: an account id may come from a data source of the same provider.
    """

    alias: str = ""
    settings: Mapping | None = None
    span: Span | None = None

    def get(self, name: str) -> Value | None:
        if self.settings is None:
            return None
        try:
            value = self.settings.entries.get(name)
        except CycleError:
            return None
        return None if is_null(value) else value

    @property
    def account_ids(self) -> tuple[str, ...]:
        """The accounts that the provider may deploy to, where it says so."""
        allowed = (text_of(item) for _, item in items_of(self.get("allowed_account_ids")))
        return tuple(text for text in allowed if text is not None)

    @property
    def account_id(self) -> str | None:
        """The one account that the provider may deploy to; None where it names none or several."""
        accounts = self.account_ids
        return accounts[0] if len(accounts) == 1 else None

    @property
    def role_arn(self) -> Value | None:
        """The role that the provider assumes."""
        for _, block in blocks_of(self.get("assume_role")):
            return block.get("role_arn")
        return None

    @property
    def default_tags(self) -> Value | None:
        for _, block in blocks_of(self.get("default_tags")):
            return block.get("tags")
        return None


class Resource(Struct, frozen=True):
    address: str
    """As Terraform or CloudFormation writes it: `module.ci["eu"].aws_iam_role.this[0]`."""
    type: str
    """In Terraform's names, whatever the language: `aws_iam_role`."""
    native_type: str
    name: str
    """The block's label or the logical id."""
    attributes: Mapping
    span: Span
    """The whole block."""
    header: Span
    """The line people know it by: `resource "aws_iam_role" "ci"`, or the logical id."""
    deployment: Deployment
    provider: Provider = field(default_factory=Provider)
    calls: tuple[Span, ...] = ()
    """Module calls (or parent stacks) on the way to it, outermost first."""
    assumptions: Assumptions = ()
    """What has to hold for it to exist at all."""
    is_data: bool = False

    @property
    def is_recorded(self) -> bool:
        """Whether it is what an account already holds, not what the code will make."""
        return self.deployment.framework is Framework.ACCOUNT

    @property
    def block(self) -> str:
        """What all instances of it have in common: the address without modules and index."""
        if self.deployment.framework is Framework.CLOUDFORMATION:
            return self.name
        if self.is_recorded:
            return self.address
        return f"{self.native_type}.{self.name}"

    def get(self, name: str) -> Value | None:
        """An attribute as written; None where it is absent or null."""
        value = self.attributes.entries.get(name)
        return None if is_null(value) else value

    def text(self, name: str) -> str | None:
        return text_of(self.get(name))

    def arms(self, name: str) -> Iterator[tuple[Assumptions, Value]]:
        """Every alternative of an attribute; nothing where it is absent or null."""
        value = self.get(name)
        if value is None:
            return
        for given, arm in arms_of(value):
            if not (isinstance(arm, Known) and arm.value is None):
                yield given, arm

    def span_of(self, name: str) -> Span:
        """The place of an attribute's value; the header where it is not written."""
        value = self.get(name)
        return value.span if value is not None else self.header

    def sort_key(self) -> tuple[str, str, int]:
        return (self.deployment.path, self.address, self.span.start)

    def __repr__(self) -> str:
        return f"Resource({self.address} at {self.header})"
