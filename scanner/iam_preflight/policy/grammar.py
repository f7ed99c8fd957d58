"""What AWS refuses in a document of a given use, and documents that are too long.

The reader notes what is wrong whatever the use (`Document.problems`); here is what depends on it.
Only what AWS's API really turns down is a problem: the grammar pages are stricter in places.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from iam_preflight.knowledge.reading import read_data
from iam_preflight.knowledge.service_principals import may_be_service, nearest_service_principal
from iam_preflight.late_patterns import late
from iam_preflight.policy.conditions import KNOWN_OPERATORS, date_of
from iam_preflight.policy.document import DocumentUse, Effect, GrammarProblem
from iam_preflight.spelling import nearest
from iam_preflight.values import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.policy.document import (
        Condition,
        Document,
        Pattern,
        PrincipalPattern,
        Statement,
    )

IDENTITY_USES = frozenset(
    {DocumentUse.IDENTITY, DocumentUse.BOUNDARY, DocumentUse.SESSION, DocumentUse.UNATTACHED}
)
"""Uses whose documents IAM itself takes as policies of a principal."""

_WITHOUT_PRINCIPAL = IDENTITY_USES | {DocumentUse.SCP}
_WITH_RESOURCE = IDENTITY_USES | {DocumentUse.SCP, DocumentUse.RCP}
_WITH_STRICT_SID = IDENTITY_USES | {DocumentUse.TRUST}
_SID = late(r"[0-9A-Za-z]*")
_VENDOR = late(r"[0-9A-Za-z.-]+")
_UNIQUE_ID = late(r"(?:AIDA|AROA)[A-Z0-9]{12,}")
_ACCOUNT = late(r"\d{12}")
_NO_PRINCIPALS = {
    "group": "a group",
    "instance-profile": "an instance profile",
    "policy": "a policy",
}
_NOT_A_PRINCIPAL = "is neither an ARN nor an account id"
EMPTY_PRINCIPAL = f'principal "" {_NOT_A_PRINCIPAL}'
_PARTITION = late(r"aws(?:-[a-z-]+)?|\*")
_QUANTIFIERS = ("", "forallvalues", "foranyvalue")


def grammar_problems(document: Document, use: DocumentUse) -> Iterator[GrammarProblem]:
    """Everything that AWS would refuse in the document, used like this, in order of place."""
    found = list(document.problems)
    found.extend(_duplicate_sids(document))
    for statement in document.statements:
        found.extend(_statement_problems(statement, use))
    # statements that hang on a choice are there more than once
    yield from sorted(dict.fromkeys(found), key=lambda problem: problem.span.sort_key())


def _statement_problems(statement: Statement, use: DocumentUse) -> Iterator[GrammarProblem]:
    element = "NotAction" if statement.is_not_action else "Action"
    for action in statement.actions:
        yield from _action_problems(action, element)
    for condition in statement.conditions:
        yield from _condition_problems(condition)
    if use in _WITH_STRICT_SID and statement.sid and not _SID.fullmatch(statement.sid):
        yield GrammarProblem(
            f'Sid "{statement.sid}" may only have letters and digits', statement.span_of("Sid")
        )
    yield from _element_problems(statement, use)
    for resource in statement.resources if use in _WITH_RESOURCE else ():
        yield from _resource_problems(resource)
    for principal in statement.principals:
        yield from _service_problems(principal)
        yield from _id_problems(principal)
        yield from _principal_problems(principal)
        text = principal.pattern.text
        if principal.kind == "AWS" and principal.pattern.is_known and text != "*":
            if "*" in text or "?" in text:
                yield GrammarProblem(
                    f'principal "{text}" cannot have a wildcard: name it, or use "*" with a '
                    "condition aws:PrincipalArn",
                    principal.span,
                )
    match use:
        case DocumentUse.TRUST:
            yield from _trust_problems(statement)
        case DocumentUse.RCP:
            yield from _rcp_problems(statement)


def _service_problems(principal: PrincipalPattern) -> Iterator[GrammarProblem]:
    text = principal.pattern.text
    if principal.kind != "Service" or not principal.pattern.is_known:
        return
    if text == "*":
        yield GrammarProblem('a service must be named, "*" stands for none', principal.span)
    elif not may_be_service(text):
        meant = nearest_service_principal(text)
        hint = f", did you mean {meant}?" if meant else ""
        yield GrammarProblem(f'"{text}" is not a service principal{hint}', principal.span)


def _id_problems(principal: PrincipalPattern) -> Iterator[GrammarProblem]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids"""
    text = principal.pattern.text
    if principal.kind == "AWS" and principal.pattern.is_known and _UNIQUE_ID.fullmatch(text):
        yield GrammarProblem(
            f'principal "{text}" is the unique id of a user or role, which AWS shows in place of '
            "one that was deleted: take it out, or name the ARN",
            principal.span,
        )


def _principal_problems(principal: PrincipalPattern) -> Iterator[GrammarProblem]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
    text = principal.pattern.text
    pattern = principal.pattern
    is_judged = pattern.is_known and not pattern.is_sensitive and "${" not in text
    if principal.kind != "AWS" or not is_judged:
        return
    if text == "*" or _UNIQUE_ID.fullmatch(text) or _ACCOUNT.fullmatch(text):
        return
    fields = text.split(":", 5)
    if fields[0] != "arn":
        yield GrammarProblem(f'principal "{text}" {_NOT_A_PRINCIPAL}', principal.span)
    elif len(fields) > 5 and fields[2] == "iam":
        kind = fields[5].partition("/")[0]
        if kind in _NO_PRINCIPALS:
            yield GrammarProblem(
                f'principal "{text}": {_NO_PRINCIPALS[kind]} cannot be a principal', principal.span
            )


def _element_problems(statement: Statement, use: DocumentUse) -> Iterator[GrammarProblem]:
    """Elements that the use forbids, or asks for."""
    principal = "NotPrincipal" if statement.is_not_principal else "Principal"
    resource = "NotResource" if statement.is_not_resource else "Resource"
    if use in _WITHOUT_PRINCIPAL and statement.has_principal:
        yield GrammarProblem(
            f"{principal} has no place in a policy that is attached", statement.span_of(principal)
        )
    if use in (DocumentUse.TRUST, DocumentUse.RESOURCE, DocumentUse.RCP):
        if not statement.has_principal:
            yield GrammarProblem("a statement here needs a Principal", statement.span)
    if use is DocumentUse.TRUST and statement.has_resource:
        yield GrammarProblem(
            f"{resource} has no place in a trust policy", statement.span_of(resource)
        )
    if use in _WITH_RESOURCE and not statement.has_resource:
        yield GrammarProblem("a statement needs Resource or NotResource", statement.span)
    if use in (DocumentUse.TRUST, DocumentUse.RCP) and statement.is_not_principal:
        yield GrammarProblem("NotPrincipal is not allowed here", statement.span_of("NotPrincipal"))


def _action_problems(action: Pattern, element: str) -> Iterator[GrammarProblem]:
    text = action.text
    if not action.is_known or text == "*":
        return
    vendor, colon, name = text.partition(":")
    if not colon:
        yield GrammarProblem(f'{element} "{text}" lacks the service: "service:{text}"', action.span)
    elif ":" in name:
        yield GrammarProblem(f'{element} "{text}" has more than one colon', action.span)
    elif vendor != "*" and not _VENDOR.fullmatch(vendor):
        yield GrammarProblem(f'{element} "{text}": "{vendor}" cannot be a service', action.span)


def _resource_problems(resource: Pattern) -> Iterator[GrammarProblem]:
    text = resource.text
    if not resource.is_known or text == "*":
        return
    if not text.startswith("arn:"):
        yield GrammarProblem(f'resource "{text}" must be an ARN or "*"', resource.span)
        return
    fields = text.split(":", 3)
    if not _PARTITION.fullmatch(fields[1]):
        yield GrammarProblem(f'resource "{text}": "{fields[1]}" is not a partition', resource.span)
    elif len(fields) < 3 or not fields[2]:
        yield GrammarProblem(f'resource "{text}" does not name a service', resource.span)


def _condition_problems(condition: Condition) -> Iterator[GrammarProblem]:
    how = condition.operator
    if "«" in how.name:
        return
    takes_if_exists = how.base != "null"
    if (
        how.base not in KNOWN_OPERATORS
        or how.quantifier not in _QUANTIFIERS
        or (how.is_if_exists and not takes_if_exists)
    ):
        meant = _nearest_operator(how.name)
        hint = f", did you mean {meant}?" if meant else ""
        yield GrammarProblem(f"{how.name} is not a condition operator{hint}", condition.span)
    elif condition.key.is_known and ":" not in condition.key.text:
        yield GrammarProblem(
            f'condition key "{condition.key.text}" lacks its prefix', condition.key.span
        )
    if how.base.startswith("date"):
        for value in condition.values:
            if value.is_known and date_of(value.text) is None:
                yield GrammarProblem(f'"{value.text}" is not a date', value.span)


def _nearest_operator(name: str) -> str | None:
    names = (
        operator
        for base in _OPERATOR_NAMES
        for operator in (base, f"{base}IfExists")
        if operator != "NullIfExists"
    )
    return nearest(name.rpartition(":")[2], names, 0.8)


_OPERATOR_NAMES = (
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    *("StringLike", "StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan"),
    *("NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "DateEquals"),
    *("DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan"),
    *("DateGreaterThanEquals", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
    *("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null"),
)


def _duplicate_sids(document: Document) -> Iterator[GrammarProblem]:
    seen: dict[str, Statement] = {}
    for statement in document.statements:
        if not statement.sid:
            continue
        first = seen.setdefault(statement.sid, statement)
        if first.span != statement.span and not statement.assumptions:
            yield GrammarProblem(
                f'Sid "{statement.sid}" is used more than once', statement.span_of("Sid")
            )


def _trust_problems(statement: Statement) -> Iterator[GrammarProblem]:
    for action in statement.actions:
        if action.is_known and not action.text.lower().startswith("sts:"):
            yield GrammarProblem(
                f'"{action.text}" has no place in a trust policy, only ways to assume a role have',
                action.span,
            )


def _rcp_problems(statement: Statement) -> Iterator[GrammarProblem]:
    """https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html"""
    if statement.effect is Effect.ALLOW and statement.is_effect_known:
        yield GrammarProblem("a resource control policy can only deny", statement.span_of("Effect"))
    if statement.is_not_action:
        yield GrammarProblem("NotAction is not allowed here", statement.span_of("NotAction"))
    for action in statement.actions:
        if action.text == "*":
            yield GrammarProblem('Action "*" is not allowed here, name the services', action.span)
    for principal in statement.principals:
        if principal.pattern.is_known and principal.pattern.text != "*":
            yield GrammarProblem(
                'Principal must be "*" in a resource control policy', principal.span
            )


# ---- size


class SizeLimit(Struct, frozen=True):
    """How long documents of a kind may be."""

    characters: int


class _SizeFile(msgspec.Struct):
    limits: dict[str, SizeLimit]


@functools.cache
def size_limits() -> dict[str, SizeLimit]:
    """The limits by kind: `managed`, `role-inline`, `user-inline`, `group-inline`, `trust`…"""
    return read_data("policy_sizes.json", _SizeFile).limits


def size_of(document: Document) -> int:
    """The characters of a document without white space; a hole counts for nothing.

    So it is the least that the document can have.
    """
    if document.value is None:
        return 0
    shortest = plain(document.value, hole=lambda _: "")
    if isinstance(shortest, str):
        return len("".join(shortest.split()))
    return len(msgspec.json.encode(shortest).decode())
