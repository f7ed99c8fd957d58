"""`aws iam get-account-authorization-details`: users, groups, roles and policies of an account.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html

Large accounts have tens of thousands of entries. So a typed decoder cuts the file into entries
and names; documents stay raw text until somebody asks, and are then read with their places.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from iam_preflight.account.export import (
    Export,
    ExportError,
    Recorder,
    document_at,
    latest,
    located,
    one_account,
    plain,
)
from iam_preflight.dates import moment
from iam_preflight.source import Span
from iam_preflight.values import Json, Known, Listing, Mapping, Reason, Unknown

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile
    from iam_preflight.values import Value

FORMAT = "authorization details"
_LISTS = frozenset({"UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"})
_VALUE = re.compile(rb'\s*:\s*"(?:[^"\\]|\\.)*"')


class _Part(msgspec.Struct, rename="pascal"):
    """A part of the export; what is not named here does not matter."""


class _Tag(_Part):
    key: str
    value: str = ""


class _Attached(_Part):
    policy_arn: str
    policy_name: str = ""


class _Inline(_Part):
    policy_name: str
    policy_document: msgspec.Raw


class _Boundary(_Part):
    permissions_boundary_arn: str = ""


class _LastUsed(_Part):
    last_used_date: str = ""
    region: str = ""


class _Profile(_Part):
    instance_profile_name: str
    arn: str
    path: str = "/"


class _Holder(_Part):
    arn: str
    path: str = "/"
    create_date: str = ""
    attached_managed_policies: list[_Attached] = []
    permissions_boundary: _Boundary | None = None
    tags: list[_Tag] = []


class _User(_Holder, kw_only=True):
    user_name: str
    user_policy_list: list[_Inline] = []
    group_list: list[str] = []


class _Group(_Holder, kw_only=True):
    group_name: str
    group_policy_list: list[_Inline] = []


class _Role(_Holder, kw_only=True):
    role_name: str
    assume_role_policy_document: msgspec.Raw
    role_policy_list: list[_Inline] = []
    instance_profile_list: list[_Profile] = []
    role_last_used: _LastUsed = msgspec.field(default_factory=_LastUsed)


class _Version(_Part):
    is_default_version: bool = False
    document: msgspec.Raw = msgspec.Raw(b"null")


class _Policy(_Part):
    arn: str
    path: str = "/"
    policy_version_list: list[_Version] = []
    create_date: str = ""


class _Details(_Part):
    user_detail_list: list[msgspec.Raw] = []
    group_detail_list: list[msgspec.Raw] = []
    role_detail_list: list[msgspec.Raw] = []
    policies: list[msgspec.Raw] = []
    is_truncated: bool = False
    next_token: str = ""
    marker: str = ""


def recognises(keys: frozenset[str]) -> bool:
    """Whether a file with such names at its top is one; `--filter` leaves lists empty, not out."""
    return len(keys & _LISTS) >= 2


def read(source: SourceFile) -> Export:
    """The export in a file; raises `ExportError`."""
    try:
        details = msgspec.json.decode(source.data, type=_Details)
        users = [msgspec.json.decode(raw, type=_User) for raw in details.user_detail_list]
        groups = [msgspec.json.decode(raw, type=_Group) for raw in details.group_detail_list]
        roles = [msgspec.json.decode(raw, type=_Role) for raw in details.role_detail_list]
        policies = [msgspec.json.decode(raw, type=_Policy) for raw in details.policies]
    except msgspec.DecodeError as error:
        raise ExportError(f"not as AWS writes authorization details: {error}") from None
    entries: list[_User | _Group | _Role | _Policy] = [*users, *groups, *roles, *policies]
    own = [policy for policy in policies if ":iam::aws:" not in policy.arn]
    holders: list[_Holder] = [*users, *groups, *roles]
    arns = [each.arn for each in holders] + [policy.arn for policy in own]
    account = one_account(arns, source)
    if not account:
        raise ExportError("holds no user, group, role or policy, so that its account is not known")
    dates = [each.create_date for each in holders] + [policy.create_date for policy in own]
    dates += [role.role_last_used.last_used_date for role in roles]
    until = latest([moment(max(dates, key=lambda date: date[:19], default=""))])
    reader = _Reader(source, Recorder(source, account), until)
    reader.groups.update((group.group_name, group.arn) for group in groups)
    places = located(
        source.data,
        (
            *details.user_detail_list,
            *details.group_detail_list,
            *details.role_detail_list,
            *details.policies,
        ),
    )
    resources = tuple(
        resource
        for (start, end), entry in zip(places, entries, strict=True)
        for resource in reader.resources(entry, start, end)
    )
    return Export(
        source,
        FORMAT,
        account,
        resources,
        until=until,
        is_cut=details.is_truncated or bool(details.next_token or details.marker),
    )


class _Reader:
    """Entries to resources, with their places."""

    def __init__(self, source: SourceFile, recorder: Recorder, until: dt.datetime | None) -> None:
        self.source = source
        self.until = until.isoformat() if until is not None else ""
        self.recorder = recorder
        self.groups: dict[str, str] = {}
        """The ARNs of groups by name: a user names its groups without their paths."""

    def resources(
        self, entry: _User | _Group | _Role | _Policy, start: int, end: int
    ) -> Iterator[Resource]:
        if isinstance(entry, _Policy):
            if ":iam::aws:" not in entry.arn:
                yield self._policy(entry, start, end)
            return
        if isinstance(entry, _Role):
            kind, name, inline = "role", entry.role_name, entry.role_policy_list
        elif isinstance(entry, _User):
            kind, name, inline = "user", entry.user_name, entry.user_policy_list
        else:
            kind, name, inline = "group", entry.group_name, entry.group_policy_list
        header = self._name(f"{kind.title()}Name", start, end)
        owner = self.recorder.reference(name, header, entry.arn, "name")
        if isinstance(entry, _Role):
            yield from self._role(entry, owner, header, start, end)
        else:
            yield self._holder(f"aws_iam_{kind}", entry, name, header, start, end)
        at = start
        for each in inline:
            at, stop = self._place(each.policy_document, at, end)
            yield self.recorder.resource(
                f"aws_iam_{kind}_policy",
                f"{entry.arn} {each.policy_name}",
                Span(self.source, at, stop),
                {"name": Known(each.policy_name, header), kind: owner},
                {"policy": self._document(at, stop)},
            )
            at = stop
        for attached in entry.attached_managed_policies:
            place = self._text(attached.policy_arn, start, end)
            yield self.recorder.resource(
                f"aws_iam_{kind}_policy_attachment",
                f"{entry.arn} {attached.policy_arn}",
                place,
                {kind: owner, "policy_arn": self._policy_arn(attached.policy_arn, place)},
            )
        if isinstance(entry, _User) and entry.group_list:
            listed = tuple(
                self.recorder.reference(group, header, self.groups.get(group, group), "name")
                for group in entry.group_list
            )
            yield self.recorder.resource(
                "aws_iam_user_group_membership",
                f"{entry.arn} groups",
                header,
                {"user": owner, "groups": Listing(listed, header)},
            )

    def _holder(
        self,
        kind: str,
        entry: _Holder,
        name: str,
        header: Span,
        start: int,
        end: int,
        attributes: dict[str, Value] | None = None,
        pending: dict[str, Callable[[], Value]] | None = None,
    ) -> Resource:
        held: dict[str, Value] = {
            "name": Known(name, header),
            "path": Known(entry.path, header),
            "arn": Known(entry.arn, header),
            "create_date": Known(entry.create_date, header),
            "tags": Mapping({tag.key: Known(tag.value, header) for tag in entry.tags}, header),
            **(attributes or {}),
        }
        if entry.permissions_boundary is not None:
            arn = entry.permissions_boundary.permissions_boundary_arn
            held["permissions_boundary"] = self._policy_arn(arn, self._text(arn, start, end))
        span = Span(self.source, start, end)
        return self.recorder.resource(kind, entry.arn, span, held, pending, header=header)

    def _role(
        self, entry: _Role, owner: Known, header: Span, start: int, end: int
    ) -> Iterator[Resource]:
        trust = self._place(entry.assume_role_policy_document, start, end)
        used = Known(entry.role_last_used.last_used_date, header)
        yield self._holder(
            "aws_iam_role",
            entry,
            entry.role_name,
            header,
            start,
            end,
            {
                "role_last_used": Mapping({"last_used_date": used}, header),
                "report_date": Known(self.until, header),
            },
            {"assume_role_policy": self._document(*trust)},
        )
        for profile in entry.instance_profile_list:
            yield self.recorder.resource(
                "aws_iam_instance_profile",
                profile.arn,
                header,
                {
                    "name": Known(profile.instance_profile_name, header),
                    "path": Known(profile.path, header),
                    "role": owner,
                },
            )

    def _policy(self, entry: _Policy, start: int, end: int) -> Resource:
        header = self._name("Arn", start, end)
        versions = entry.policy_version_list
        current = next((each for each in versions if each.is_default_version), None)
        attributes: dict[str, Value] = {
            "name": Known(entry.arn.rpartition("/")[2], header),
            "path": Known(entry.path, header),
            "arn": Known(entry.arn, header),
        }
        if current is None:
            missing = Unknown(Reason.MISSING, f"default version of {entry.arn}", header)
            attributes["policy"] = missing
            pending = {}
        else:
            place = self._place(current.document, start, end)
            pending = {"policy": self._document(*place)}
        span = Span(self.source, start, end)
        kind = "aws_iam_policy"
        return self.recorder.resource(kind, entry.arn, span, attributes, pending, header=header)

    # ---- places

    def _policy_arn(self, arn: str, place: Span) -> Known:
        if ":iam::aws:" in arn:
            return Known(arn, place)
        return self.recorder.reference(arn, place, arn)

    def _name(self, key: str, start: int, end: int) -> Span:
        """The line that names an entry."""
        at = self.source.data.find(f'"{key}"'.encode(), start, end)
        found = _VALUE.match(self.source.data, at + len(key) + 2) if at >= 0 else None
        return Span(self.source, at, found.end()) if found else Span(self.source, start, end)

    def _text(self, text: str, start: int, end: int) -> Span:
        at = self.source.data.find(f'"{text}"'.encode(), start, end)
        return (
            Span(self.source, at, at + len(text) + 2) if at >= 0 else Span(self.source, start, end)
        )

    def _place(self, raw: msgspec.Raw, start: int, end: int) -> tuple[int, int]:
        piece = bytes(raw)
        at = self.source.data.find(piece, start, end)
        return (at, at + len(piece)) if at >= 0 else (start, end)

    def _document(self, start: int, end: int) -> Callable[[], Value]:
        """A document, read on demand: an object as the command line writes it, or encoded text."""

        def read_document() -> Value:
            span = Span(self.source, start, end)
            try:
                if self.source.data[start : start + 1] == b"{":
                    return Json(document_at(self.source, start, end), span)
                text = msgspec.json.decode(self.source.data[start:end], type=str)
                return Json(plain(msgspec.json.decode(unquote(text)), span), span)
            except (msgspec.DecodeError, RecursionError) as error:
                return Unknown(Reason.ERROR, f"policy document: {error}", span)

        return read_document
