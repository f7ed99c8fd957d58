"""Text in policies that stands for nothing: ARNs that no resource has, variables that are none.

AWS takes most of it without a word, and it never matches.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.late_patterns import late
from iam_preflight.policy.conditions import TEXT_OPERATORS
from iam_preflight.policy.globs import ARN_COLONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Condition, Document, Pattern, Statement

_HOLE = "\ue000"
_REGION = late(r"[a-z]{2,}(?:-[a-z]+)+-\d+|global")
_WORD = late(r"[a-z0-9-]+")
"""What may be meant as a region; all else stands for one that is put in later."""
_ACCOUNT_DIGITS = 12
_VARIABLE = late(r"\$\{([^{}]*)(\}?)")
_IDENTITY = late(r"iam:(?:root$|user/|role/|group/)|sts:assumed-role/")
_COMPARE_ARNS = ("arnequals", "arnlike", "stringequals", "stringlike")
_CHARACTERS = ("*", "?", "$")
"""`${*}` is the character itself."""


class TextFault(Struct, frozen=True):
    """A text that stands for nothing, why, and what to do about it."""

    pattern: Pattern
    why: str
    cure: str


def text_faults(document: Document, statement: Statement, catalog: Catalog) -> Iterator[TextFault]:
    """What is wrong with the resources, principals and values of a statement, one fault each."""
    for resource in statement.resources:
        fault = arn_fault(resource) or _variable_fault(resource, document, catalog)
        if fault is not None:
            yield fault
    for principal in statement.principals:
        fault = arn_fault(principal.pattern) if principal.kind == "AWS" else None
        if fault is not None:
            yield fault
    for condition in statement.conditions:
        reads_variables = condition.operator.base in TEXT_OPERATORS
        takes_arns = condition.operator.base in _COMPARE_ARNS and _is_of_arns(condition, catalog)
        for value in condition.values:
            fault = arn_fault(value) or _caller_fault(value, condition) if takes_arns else None
            if fault is None and reads_variables:
                fault = _variable_fault(value, document, catalog)
            elif fault is None:
                fault = _unread_variable(value, condition.operator.name, document)
            if fault is not None:
                yield fault
                break


def arn_fault(pattern: Pattern) -> TextFault | None:
    """Why no resource has an ARN like this; None where one may, or where that is not known."""
    text = "".join(part if isinstance(part, str) else _HOLE for part in pattern.parts)
    if pattern.is_sensitive or not text.startswith("arn:") or "${" in text:
        return None
    fields = text.split(":", ARN_COLONS)
    if len(fields) <= ARN_COLONS:
        # a wildcard at the end may stand for the rest, but no field before the last has a slash
        is_open = _HOLE in text or ("*" in fields[-1] and "/" not in fields[-1])
        if is_open:
            return None
        cure = "write arn:partition:service:region:account:resource, with nothing between colons "
        return TextFault(pattern, f'"{text}" lacks fields of an ARN', f"{cure}that do not apply")
    region, account = fields[3:ARN_COLONS]
    if _WORD.fullmatch(region) and not _REGION.fullmatch(region):
        return TextFault(pattern, f'"{region}" in "{text}" is not a region', "correct the region")
    if account.isdigit() and len(account) != _ACCOUNT_DIGITS:
        why = f'"{account}" in "{text}" is not an account id, which has {_ACCOUNT_DIGITS} digits'
        return TextFault(pattern, why, "correct the number; zeros at its beginning belong to it")
    return None


def _is_of_arns(condition: Condition, catalog: Catalog) -> bool:
    key = catalog.condition_key(condition.key_name) if condition.key.is_known else None
    return key is not None and key.type == "ARN"


def _caller_fault(pattern: Pattern, condition: Condition) -> TextFault | None:
    """Why no request is made for the sake of a user or role: services act for resources.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourcearn
    """
    fields = pattern.text.split(":", ARN_COLONS)
    if condition.key_name != "aws:sourcearn" or len(fields) <= ARN_COLONS or pattern.is_sensitive:
        return None
    if not _IDENTITY.match(":".join((fields[2], fields[ARN_COLONS]))):
        return None
    why = f'"{pattern.text}" is never aws:SourceArn, which names what a service acts for'
    return TextFault(pattern, why, "name the caller in Principal, or under aws:PrincipalArn")


def _variable_fault(pattern: Pattern, document: Document, catalog: Catalog) -> TextFault | None:
    for content, is_closed in _variables(pattern):
        written = f"${{{content}}}"
        if not is_closed:
            return TextFault(pattern, f"${{{content} is never closed", "close the brace")
        if content in _CHARACTERS:
            continue
        name = content.partition(",")[0].rstrip()
        if ":" not in name or " " in name:
            cure = (
                "fill it in where the document is made, with Fn::Sub or templatefile; a variable "
                "of AWS's looks like ${aws:username}"
            )
            return TextFault(pattern, f"{written} is not a policy variable", cure)
        if not document.has_policy_variables:
            why = f'{written} is taken as it is, as the document is not of Version "2012-10-17"'
            return TextFault(pattern, why, 'say "Version": "2012-10-17"')
        if name.lower().startswith("aws:") and catalog.condition_key(name) is None:
            nearest = catalog.nearest_key(name)
            cure = f"did you mean ${{{nearest}}}" if nearest else "correct the name"
            return TextFault(pattern, f"AWS's reference has no policy variable {written}", cure)
    return None


def _unread_variable(pattern: Pattern, operator: str, document: Document) -> TextFault | None:
    for content, is_closed in _variables(pattern):
        if is_closed and ":" in content and document.has_policy_variables:
            why = f"{operator} takes ${{{content}}} as it is"
            return TextFault(pattern, why, "only String and Arn operators read variables")
    return None


def _variables(pattern: Pattern) -> Iterator[tuple[str, bool]]:
    """What stands in each `${…}` of a text, and whether it is closed."""
    if pattern.is_sensitive:
        return
    last = len(pattern.parts) - 1
    for index, part in enumerate(pattern.parts):
        if not isinstance(part, str) or "${" not in part or "\n" in part:
            continue
        for found in _VARIABLE.finditer(part):
            is_cut_off = not found[2] and found.end() == len(part) and index < last
            if not is_cut_off:
                yield found[1], bool(found[2])
