"""What an editor offers to do about a place: repair it, narrow it, guard it, or accept it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.comments import ignores_in
from iam_preflight.findings import Edit
from iam_preflight.fixes import apply_edits
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.effective import statement_actions
from iam_preflight.policy.globs import Wildcards, is_anything, may_meet, text_tokens
from iam_preflight.source import SourceFile, Span
from iam_preflight.values import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.editor.analysis import Analysis
    from iam_preflight.editor.cursor import Cursor
    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Statement
    from iam_preflight.resources import Resource

MAX_TARGETS = 5
HCL = (".tf", ".tofu")
YAML = (".yaml", ".yml", ".template")


class Offer(Struct, frozen=True):
    """Something to do, with the edits that do it."""

    title: str
    edits: tuple[Edit, ...]
    is_fix: bool
    """Whether it cures a finding; else it is a change somebody may want."""
    finding: Finding | None = None
    is_preferred: bool = False
    rule: str = ""
    """For an ignore: what is ignored."""


def offers(cursor: Cursor, findings: Iterable[Finding]) -> Iterator[Offer]:
    """Everything on offer at a place, where the given findings are."""
    listed = list(findings)
    for finding in listed:
        if finding.fix is not None:
            title = finding.fix.description[:1].upper() + finding.fix.description[1:]
            yield Offer(title, finding.fix.edits, True, finding, is_preferred=True)
    found = cursor.statement()
    if found is not None:
        statement, policies = found
        yield from _scoped(cursor, statement, policies, listed)
        yield from _guarded(cursor.analysis.graph, statement, policies, listed)
    for finding in listed:
        offer = ignoring(finding)
        if offer is not None:
            yield offer


# ---------------------------------------------------------------- ignore


def ignoring(finding: Finding, reason: str = "") -> Offer | None:
    """A comment that accepts a finding; without a reason it counts once one is written."""
    span = finding.primary.span
    for place in (span, *finding.causes, finding.resource.span):
        if place.source is not span.source or not place.path.endswith((*HCL, *YAML)):
            continue
        edit = _comment(place, finding.rule, reason)
        if _covers(place.source, edit, finding):
            return Offer(
                f"Ignore {finding.rule} here, with a reason",
                (edit,),
                True,
                finding,
                rule=finding.rule,
            )
    return None


def _comment(place: Span, rule: str, reason: str) -> Edit:
    source = place.source
    start = source.data.rfind(b"\n", 0, place.start) + 1
    line = source.data[start : place.start]
    indent = line[: len(line) - len(line.lstrip())].decode("utf-8", "replace")
    told = " ".join(reason.split())
    text = (
        f"{indent}# iam-preflight: ignore[{rule}] {told}".rstrip()
        if told
        else (f"{indent}# iam-preflight: ignore[{rule}] ")
    )
    return Edit(Span(source, start, start), f"{text}\n")


def _covers(source: SourceFile, edit: Edit, finding: Finding) -> bool:
    """Whether the comment would be one, and about the finding."""
    shift = len(edit.replacement.encode())
    if b"\r\n" in source.data:
        shift += edit.replacement.count("\n")
    data = apply_edits(source.data, {(edit.span.start, edit.span.end): edit.replacement})
    changed = SourceFile(source.path, data)
    start = finding.primary.span.start + shift
    for ignore in ignores_in(changed):
        is_ours = edit.span.start <= ignore.place.start < edit.span.start + shift
        if is_ours and ignore.scope is not None and ignore.scope.start <= start < ignore.scope.end:
            return True
    return False


# ---------------------------------------------------------------- scope


def _scoped(
    cursor: Cursor, statement: Statement, policies: list[Policy], findings: list[Finding]
) -> Iterator[Offer]:
    """Things in the code that `"*"` could be narrowed to."""
    if not statement.is_allow or statement.is_not_resource:
        return
    star = next(
        (
            pattern
            for pattern in statement.resources
            if pattern.is_known
            and is_anything(text_tokens(pattern.text, Wildcards.ARN))
            and pattern.span.text.strip("\"'") == "*"
            and statement.span.contains(pattern.span)
        ),
        None,
    )
    if star is None:
        return
    graph = cursor.analysis.graph
    catalog = graph.permissions.evaluator.catalog
    actions = statement_actions(statement, catalog)
    if actions.is_everything:
        return
    globs = {
        glob
        for name in actions
        if (action := catalog.action(name)) is not None and not action.is_only_star
        for glob in action.arn_globs
    } - {"*"}
    about = next((f for f in findings if any(c.contains(star.span) for c in f.causes)), None)
    home = policies[0].resource
    count = 0
    for resource, reference in _candidates(graph, home, star.span.path, globs):
        yield Offer(
            f"Scope to {resource.address}",
            (Edit(star.span, reference),),
            about is not None,
            about,
        )
        count += 1
        if count == MAX_TARGETS:
            break
    for glob in sorted(globs)[: MAX_TARGETS - count if len(globs) <= MAX_TARGETS else 0]:
        quote = star.span.text[:1]
        text = f"{quote}{_spelled(glob)}{quote}" if quote in "\"'" else f'"{_spelled(glob)}"'
        yield Offer(f"Scope to {_spelled(glob)}", (Edit(star.span, text),), False)


def _spelled(glob: str) -> str:
    """An ARN to be filled in: `arn:aws:s3:::NAME/*`."""
    fields = glob.split(":", 5)
    if len(fields) < 6:
        return glob
    head = ["arn", "aws", fields[2], fields[3] and "REGION", fields[4] and "ACCOUNT"]
    return ":".join((*head, fields[5].replace("*", "NAME", 1)))


def _candidates(
    graph: Graph, home: Resource, path: str, globs: set[str]
) -> Iterator[tuple[Resource, str]]:
    """Resources of the same module whose ARN the actions take, each with a reference to it."""
    wanted = [text_tokens(glob, Wildcards.ARN) for glob in sorted(globs)]
    prefix = home.address.rpartition(".")[0].rpartition(".")[0]
    for resource in graph.resources:
        if resource.is_data or resource.deployment != home.deployment:
            continue
        if resource.span.path.rpartition("/")[0] != path.rpartition("/")[0]:
            continue
        text = _arn_of(resource)
        if text is None or not any(
            may_meet(text_tokens(text, Wildcards.ARN), one) for one in wanted
        ):
            continue
        if path.endswith(HCL):
            owner, _, local = resource.address.rpartition(f"{resource.type}.")
            if owner.rstrip(".") == prefix.rstrip(".") and "[" not in local:
                yield resource, f"{resource.type}.{local}.arn"
        elif path.endswith(YAML) and resource.span.path == path:
            yield resource, f"!GetAtt {resource.name}.Arn"


def _arn_of(resource: Resource) -> str | None:
    """The ARN of a resource with `*` where it is not known; None where nothing of it is."""
    look_up = getattr(resource.attributes.entries, "attribute", None)
    value = look_up("arn", resource.header) if look_up is not None else resource.get("arn")
    parts = parts_of(value) if value is not None else None
    if parts is None:
        return None
    text = "".join(getattr(part, "text", "*") for part in parts)
    return text if text.startswith("arn:") else None


# ---------------------------------------------------------------- conditions


class Guard(Struct, frozen=True):
    """A condition to add."""

    title: str
    operator: str
    key: str
    value: str
    rules: tuple[str, ...]
    """Families of rules that ask for it."""


MFA = Guard("Require MFA", "Bool", "aws:MultiFactorAuthPresent", "true", ("MFA",))
EXTERNAL_ID = Guard(
    "Require an ExternalId", "StringEquals", "sts:ExternalId", "CHANGE-ME", ("EXT",)
)
BOUNDARY = Guard(
    "Require a permissions boundary",
    "StringEquals",
    "iam:PermissionsBoundary",
    "arn:aws:iam::ACCOUNT:policy/BOUNDARY",
    ("BOUND",),
)
CREATES = (
    "iam:CreateRole",
    "iam:CreateUser",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutUserPermissionsBoundary",
)


def _guarded(
    graph: Graph, statement: Statement, policies: list[Policy], findings: list[Finding]
) -> Iterator[Offer]:
    if not statement.is_allow:
        return
    keys = {condition.key_name for condition in statement.conditions}
    for guard in _fitting(graph, statement, policies):
        if guard.key.lower() in keys:
            continue
        edit = _with_condition(statement, guard)
        if edit is not None:
            about = next((f for f in findings if f.rule.startswith(guard.rules)), None)
            title = f"{guard.title}: add the condition {guard.key}"
            yield Offer(title, (edit,), about is not None, about)


def _fitting(graph: Graph, statement: Statement, policies: list[Policy]) -> Iterator[Guard]:
    uses = {policy.use for policy in policies}
    if DocumentUse.TRUST in uses:
        if any(principal.kind in ("AWS", "*") for principal in statement.principals):
            yield MFA
            yield EXTERNAL_ID
        return
    if not uses & {DocumentUse.IDENTITY, DocumentUse.UNATTACHED}:
        return
    catalog = graph.permissions.evaluator.catalog
    actions = statement_actions(statement, catalog)
    if any(name in actions for name in CREATES):
        yield BOUNDARY
    yield MFA


_HAS_CONDITION = re.compile(r"""["']?\bCondition["']?\s*[:=]""")


def _with_condition(statement: Statement, guard: Guard) -> Edit | None:
    """The condition written the way the statement is; None where it has one to be merged with."""
    span = statement.span
    text = span.text
    path = span.path
    if path.endswith(HCL) and text.startswith("statement"):
        return _as_block(span, guard)
    if _HAS_CONDITION.search(text):
        return None
    if text.startswith("{"):
        is_json = re.match(r"""\{\s*(?:"[^"]*"|\w+)\s*:""", text) is not None
        return _as_entry(span, guard, is_json=is_json)
    if path.endswith(YAML):
        return _as_yaml(span, guard)
    return None


def _indent_at(source: SourceFile, offset: int) -> str:
    start = source.data.rfind(b"\n", 0, offset) + 1
    line = source.data[start : len(source.data)]
    return line[: len(line) - len(line.lstrip(b" \t"))].decode()


def _as_block(span: Span, guard: Guard) -> Edit | None:
    """A `condition` block at the end of a `statement` block."""
    close = span.end - 1
    if span.source.data[close : span.end] != b"}":
        return None
    indent = _indent_at(span.source, span.start)
    inner = f"{indent}  "
    value = guard.value.replace("${", "$${")
    lines = [
        "condition {",
        f'  test     = "{guard.operator}"',
        f'  variable = "{guard.key}"',
        f'  values   = ["{value}"]',
        "}",
    ]
    body = "".join(f"{inner}{line}\n" for line in lines)
    start = span.source.data.rfind(b"\n", 0, close) + 1
    if span.source.data[start:close].strip():
        return Edit(Span(span.source, close, close), f"\n{body}{indent}")
    return Edit(Span(span.source, start, start), f"\n{body}")


def _as_entry(span: Span, guard: Guard, *, is_json: bool) -> Edit | None:
    """A `Condition` at the end of an object, in JSON or in Terraform's `jsonencode`."""
    data = span.source.data
    end = span.end - 1
    while end > span.start and data[end - 1 : end].isspace():
        end -= 1
    if data[span.end - 1 : span.end] != b"}" or end <= span.start:
        return None
    if is_json:
        entry = f'"Condition": {{"{guard.operator}": {{"{guard.key}": "{guard.value}"}}}}'
    else:
        entry = f'Condition = {{ {guard.operator} = {{ "{guard.key}" = "{guard.value}" }} }}'
    if b"\n" not in data[span.start : span.end]:
        comma = "" if data[end - 1 : end] in (b",", b"{") else ", "
        return Edit(Span(span.source, end, end), f"{comma}{entry}")
    indent = _indent_at(span.source, end - 1)
    comma = "," if is_json and data[end - 1 : end] not in (b",", b"{") else ""
    return Edit(Span(span.source, end, end), f"{comma}\n{indent}{entry}")


def _as_yaml(span: Span, guard: Guard) -> Edit | None:
    """A `Condition` as the last key of a mapping."""
    data = span.source.data
    column = span.start - (data.rfind(b"\n", 0, span.start) + 1)
    end = span.end
    while end > span.start and data[end - 1 : end].isspace():
        end -= 1
    pad = " " * column
    text = f"\n{pad}Condition:\n{pad}  {guard.operator}:\n{pad}    {guard.key}: '{guard.value}'"
    return Edit(Span(span.source, end, end), text)


def findings_at(analysis: Analysis, path: str, start: int, end: int) -> list[Finding]:
    """The shown findings whose place touches a range of a file."""
    return [
        finding
        for finding in analysis.shown
        if finding.primary.span.path == path
        and finding.primary.span.start <= end
        and finding.primary.span.end >= start
    ]
