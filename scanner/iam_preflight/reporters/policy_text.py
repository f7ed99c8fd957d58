"""Suggested statements as people paste them: an HCL policy document, a CloudFormation policy.

A hole stays as it is shown everywhere else, `«var.bucket»`: AWS refuses that, so that nobody
deploys it without filling it in.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from iam_preflight.values import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iam_preflight.graph.suggestion import Suggested
    from iam_preflight.policy.document import Condition, Statement


def as_hcl(title: str, statements: Sequence[Suggested]) -> Iterator[str]:
    """The lines of a data source of Terraform."""
    yield f"# {title}: what it has used"
    yield 'data "aws_iam_policy_document" "suggested" {'
    for number, one in enumerate(statements):
        if number:
            yield ""
        statement = one.statement
        yield "  statement {"
        if not statement.is_allow:
            yield '    effect = "Deny"'
        yield from _hcl_list("not_actions" if _keeps_not(one) else "actions", one.actions)
        name = "not_resources" if statement.is_not_resource else "resources"
        yield from _hcl_list(name, _resources(statement))
        for condition in statement.conditions:
            yield "    condition {"
            yield f"      test     = {_quoted(condition.operator.name)}"
            yield f"      variable = {_quoted(condition.key.text)}"
            values = ", ".join(_quoted(value.text) for value in condition.values)
            yield f"      values   = [{values}]"
            yield "    }"
        yield "  }"
    yield "}"


def _hcl_list(name: str, texts: tuple[str, ...]) -> Iterator[str]:
    if len(texts) == 1:
        yield f"    {name} = [{_quoted(texts[0])}]"
        return
    yield f"    {name} = ["
    for text in texts:
        yield f"      {_quoted(text)},"
    yield "    ]"


def _quoted(text: str) -> str:
    """A string of HCL: IAM's own `${…}` must not be taken for Terraform's."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def as_cloudformation(title: str, statements: Sequence[Suggested]) -> Iterator[str]:
    """The lines of a policy document as CloudFormation has it in YAML."""
    yield f"# {title}: what it has used"
    yield "PolicyDocument:"
    yield '  Version: "2012-10-17"'
    yield "  Statement:"
    for one in statements:
        statement = one.statement
        yield f"    - Effect: {statement.effect.value}"
        yield from _yaml_list("NotAction" if _keeps_not(one) else "Action", one.actions)
        name = "NotResource" if statement.is_not_resource else "Resource"
        yield from _yaml_list(name, _resources(statement))
        yield from _yaml_conditions(statement.conditions)


def _yaml_list(name: str, texts: tuple[str, ...]) -> Iterator[str]:
    yield f"      {name}:"
    for text in texts:
        yield f"        - {json.dumps(text, ensure_ascii=False)}"


def _yaml_conditions(conditions: Sequence[Condition]) -> Iterator[str]:
    operators = dict.fromkeys(condition.operator.name for condition in conditions)
    if operators:
        yield "      Condition:"
    for operator in operators:
        yield f"        {json.dumps(operator)}:"
        for condition in conditions:
            if condition.operator.name == operator:
                values = [value.text for value in condition.values]
                key = json.dumps(condition.key.text, ensure_ascii=False)
                yield f"          {key}: {json.dumps(values, ensure_ascii=False)}"


def _resources(statement: Statement) -> tuple[str, ...]:
    return tuple(
        "".join(
            part
            if isinstance(part, str)
            else "aws"
            if part.reason is Reason.PARTITION
            else f"«{part.label}»"
            for part in pattern.parts
        )
        for pattern in statement.resources
    )


def _keeps_not(one: Suggested) -> bool:
    """Whether the actions are those that a denial leaves out."""
    return one.statement.is_not_action and not one.statement.is_allow
