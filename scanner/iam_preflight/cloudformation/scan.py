"""All templates of a scan: which are deployed on their own, and what they take from others.

A template that another one nests is not also a stack of its own. Exports are joined by name
across stacks; names with holes (`${AWS::StackName}-Role`) join where only one export fits.
"""

from __future__ import annotations

import functools
import posixpath
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.cloudformation.cdk import (
    ASSET_PATH,
    ASSET_PROPERTY,
    AssembledStack,
    assembled_stacks,
)
from iam_preflight.cloudformation.intrinsics import evaluate
from iam_preflight.cloudformation.parameters import PSEUDO, Given
from iam_preflight.cloudformation.scalars import fragments_of
from iam_preflight.cloudformation.stack import Stack, is_nested
from iam_preflight.cloudformation.template import (
    Template,
    is_template,
    read_templates,
    template_from,
)
from iam_preflight.collector import no_collection
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.faults import KeptTo
from iam_preflight.resources import Deployment, Framework, Provider
from iam_preflight.templatetext import (
    TemplateError,
    TextPlaces,
    read_documents,
    read_text,
)
from iam_preflight.timing import TIMEOUT
from iam_preflight.values import (
    Fragment,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    items_of,
    parts_of,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iam_preflight.cloudformation.resources import Definition
    from iam_preflight.discovery import Workspace
    from iam_preflight.source import Span

MAX_NESTING = 12
MAX_STACKS = 1_000
"""Stacks that the nested stacks of one scan make."""
MIN_COMMON_TEXT = 4
"""An export whose name is mostly holes is not taken for the one that is asked for."""

_SCHEME = re.compile(r"[a-z0-9]+://[^/]*/?", re.IGNORECASE)
_ENVIRONMENT_NAME = re.compile(r"env|stage|tier", re.IGNORECASE)


class TemplateScan:
    """The templates of one scan."""

    def __init__(
        self,
        workspace: Workspace,
        files: Sequence[str],
        given: Given,
        timeout: float = TIMEOUT,
    ) -> None:
        self.workspace = workspace
        self.timeout = timeout
        self.given = given
        self._templates: dict[str, tuple[Template, ...]] = {}
        self._included: dict[str, Value | None] = {}
        self._assemblies: dict[str, dict[str, AssembledStack]] = {}
        self._noted: set[tuple[str, str]] = set()
        self._nested = 0
        self._is_exporting = False
        self.stacks: list[Stack] = []
        with no_collection():
            templates = [template for path in files for template in self.templates(path)]
            self.stacks = self._roots([self._root(template) for template in templates])

    def templates(self, path: str) -> tuple[Template, ...]:
        """The templates in a file, which is parsed once."""
        if path not in self._templates:
            source = self.workspace.source(path)
            found: tuple[Template, ...] = ()
            if source is not None:
                with KeptTo(path, self.workspace.problems):
                    found = tuple(read_templates(source, self.workspace.problems))
            for template in found:
                self.workspace.code.add(path)
                self.workspace.problems.extend(template.duplicates)
            self._templates[path] = tuple(self._transformed(template) for template in found)
        return self._templates[path]

    def _transformed(self, template: Template) -> Template:
        """A template with the files included that its Transform section names."""
        for name, item in template.transforms:
            if name == "AWS::Include" and isinstance(item, Mapping):
                parameters = item.get("Parameters")
                location = parameters.get("Location") if isinstance(parameters, Mapping) else None
                path = self._locate(location, template) if location is not None else None
                included = self._content(path) if path is not None else None
                if isinstance(included, Mapping):
                    template = replace(template, root=_with_sections(template.root, included))
                    continue
            elif name.startswith("AWS::"):
                continue
            message = f"what the macro {name} makes of the template is not known"
            self.note(Problem(ProblemKind.UNRESOLVED_MODULE, message, item.span.path, item.span))
        return template

    # ---- roots

    def _root(self, template: Template) -> Stack:
        assembled = self._assembled(template)
        pseudo = {name: text for name, text in self.given.values.items() if name in PSEUDO}
        if assembled.account:
            pseudo.setdefault("AWS::AccountId", assembled.account)
        if assembled.region:
            pseudo.setdefault("AWS::Region", assembled.region)
        if assembled.name:
            pseudo.setdefault("AWS::StackName", assembled.name)
        span = template.root.span
        values: dict[str, Value] = {
            name: Known(text, span) for name, text in self.given.values.items()
        }
        declared = template.section("Parameters")
        hints = [
            text
            for name, text in self.given.values.items()
            if declared is not None and name in declared.entries and _ENVIRONMENT_NAME.search(name)
        ]
        deployment = Deployment(
            template.path,
            Framework.CLOUDFORMATION,
            hints=(*((assembled.name,) if assembled.name else ()), *self.given.hints, *hints),
        )
        return Stack(
            template,
            deployment,
            _provider(pseudo, span),
            self,
            values,
            pseudo,
            constructs=assembled.constructs,
        )

    def _assembled(self, template: Template) -> AssembledStack:
        if not template.source.path.endswith(".json"):
            return AssembledStack()
        directory = template.directory
        if directory not in self._assemblies:
            self._assemblies[directory] = assembled_stacks(self.workspace, directory)
        return self._assemblies[directory].get(template.source.path, AssembledStack())

    def _roots(self, stacks: list[Stack]) -> list[Stack]:
        """The stacks that no other one nests; of those that nest each other, the first."""
        nested_in: dict[str, set[str]] = {}
        for stack in stacks:
            nested_in[stack.template.path] = set()
            with KeptTo(stack.template.path, self.workspace.problems):
                nested_in[stack.template.path] |= {c.template.path for c in _children(stack)}
        targets = {path for paths in nested_in.values() for path in paths}
        roots = [stack for stack in stacks if stack.template.path not in targets]
        reached = _reachable([stack.template.path for stack in roots], nested_in)
        for stack in stacks:
            path = stack.template.path
            if path not in reached:
                roots.append(stack)
                reached |= _reachable([path], nested_in)
        return roots

    # ---- nested stacks

    def child(self, definition: Definition, asking: Stack) -> Stack | None:
        if not is_nested(definition.native_type):
            return None
        properties = definition.raw.get("Properties")
        if not isinstance(properties, Mapping):
            return None
        template = self._nested_template(definition, properties, asking)
        if template is None:
            return None
        if len(asking.calls) >= MAX_NESTING or template.path in asking.ancestry:
            self._unresolved(definition, "nests itself" if template.path in asking.ancestry else "")
            return None
        self._nested += 1
        if self._nested > MAX_STACKS:
            message = f"more than {MAX_STACKS:,} nested stacks"
            header = definition.header
            self.note(Problem(ProblemKind.LIMIT, message, header.path, header))
            return None
        is_set = definition.native_type == "AWS::CloudFormation::StackSet"
        pseudo = {k: v for k, v in asking.pseudo.items() if k != "AWS::StackName"}
        return Stack(
            template,
            asking.deployment,
            Provider() if is_set else asking.provider,
            self,
            _passed(properties.get("Parameters"), definition),
            {} if is_set else pseudo,
            address=f"{asking.address}{definition.logical_id}.",
            calls=(*asking.calls, definition.span),
            assumptions=definition.assumptions,
            ancestry=(*asking.ancestry, template.path),
            decided=_passed(properties.get("Parameters"), definition, is_strict=True),
        )

    def _nested_template(
        self, definition: Definition, properties: Mapping, asking: Stack
    ) -> Template | None:
        body = properties.get("TemplateBody")
        embedded = _embedded_file(body)
        if embedded is not None:
            properties = Mapping({"TemplateURL": embedded}, embedded.span)
        elif body is not None:
            return self._inline(evaluate(body, definition.scope), definition)
        raw = properties.get("TemplateURL") or properties.get("Location")
        if raw is None:
            return None
        asset = _asset(definition)
        location = asset if asset is not None else evaluate(raw, definition.scope)
        path = self._locate(location, asking.template)
        found = self.templates(path) if path is not None else ()
        if found:
            return found[0]
        where = "an application repository" if isinstance(location, Mapping) else show(location)
        self._unresolved(definition, f"is not here: {where}")
        return None

    def _inline(self, body: Value, definition: Definition) -> Template | None:
        """A template that is text inside another one, placed in that text."""
        if not isinstance(body, Known) or not isinstance(body.value, str):
            self._unresolved(definition, "is not known")
            return None
        places = TextPlaces(fragments_of(body), body.span)
        try:
            for document in read_text(body.value, places):
                if is_template(document.root):
                    template = template_from(document, body.span.source)
                    return replace(template, path=f"{template.path}#{definition.logical_id}")
        except TemplateError as error:
            kind = ProblemKind.LIMIT if error.is_limit else ProblemKind.SYNTAX
            self.note(Problem(kind, error.message, error.span.path, error.span))
        return None

    def _unresolved(self, definition: Definition, why: str) -> None:
        header = definition.header
        message = f"the template of {definition.logical_id} {why or 'is nested too deeply'}"
        self.note(Problem(ProblemKind.UNRESOLVED_MODULE, message, header.path, header))

    def _locate(self, location: Value, asking: Template) -> str | None:
        """The file that a path or URL means.

        Of a URL the end is looked for, below the folders that the template is in.
        """
        parts = parts_of(location)
        if parts is None:
            return None
        directory = asking.directory
        if isinstance(location, Known):
            text = show(location)
            if "://" not in text:
                return self._file(directory, text)
        last = parts[-1]
        if not isinstance(last, Fragment):
            return None
        tail = _SCHEME.sub("", last.text) if len(parts) == 1 else last.text
        segments = [segment for segment in tail.split("?")[0].split("/") if segment]
        if len(parts) > 1 and not tail.startswith("/") and len(segments) > 1:
            segments = segments[1:] if "/" in tail else segments
        folders = [directory]
        while folders[-1]:
            folders.append(posixpath.dirname(folders[-1]))
        for start in range(len(segments)):
            path = "/".join(segments[start:])
            for folder in folders:
                found = self._file(folder, path)
                if found is not None and found != asking.source.path:
                    return found
        return None

    def _file(self, directory: str, path: str) -> str | None:
        beside = self.workspace.beside(directory, path.removeprefix("file://"))
        if beside is None or not self.workspace.tree.is_file(beside):
            return None
        return beside

    # ---- included files

    def include(self, location: Value, asking: Stack) -> Value | None:
        path = self._locate(location, asking.template)
        return self._content(path) if path is not None else None

    def _content(self, path: str) -> Value | None:
        """What a file holds, whatever it is; it is parsed once."""
        if path not in self._included:
            self._included[path] = None
            source = self.workspace.source(path)
            if source is not None:
                try:
                    roots = [document.root for document in read_documents(source)]
                    self._included[path] = roots[0] if roots else None
                except TemplateError as error:
                    kind = ProblemKind.LIMIT if error.is_limit else ProblemKind.SYNTAX
                    self.note(Problem(kind, error.message, path, error.span))
        return self._included[path]

    # ---- exports

    @functools.cached_property
    def _exports(self) -> list[tuple[Value, str, Stack]]:
        found: list[tuple[Value, str, Stack]] = []
        self._is_exporting = True
        try:
            for root in self.stacks:
                for stack in _with_nested(root):
                    found.extend((name, output, stack) for name, output in stack.exports())
        finally:
            self._is_exporting = False
        return found

    def import_value(self, name: Value, span: Span, asking: Stack) -> Value:
        hole = Unknown(Reason.REMOTE, f"export {show(name)}"[:80], span)
        if self._is_exporting or not self.stacks:
            return hole
        candidates = [
            (output, stack)
            for exported, output, stack in self._exports
            if stack.template is not asking.template and _same_name(name, exported)
        ]
        best = _nearest(candidates, asking)
        if best is None:
            return hole
        output, stack = best
        value = stack.output(output, span)
        if stack.deployment.path == asking.deployment.path:
            return value
        return relocated(value, stack.deployment.path)

    def keep_secret(self, value: Value) -> None:
        self.workspace.secrets.keep(value)

    def note(self, problem: Problem) -> None:
        key = (problem.place, problem.message)
        if key not in self._noted:
            self._noted.add(key)
            self.workspace.problems.append(problem)


def _children(stack: Stack) -> Iterator[Stack]:
    for name, definition in stack.definitions.items():
        if is_nested(definition.native_type):
            child = stack.child(name)
            if child is not None:
                yield child


def _with_nested(stack: Stack) -> Iterator[Stack]:
    yield stack
    for child in _children(stack):
        yield from _with_nested(child)


def _reachable(paths: list[str], nested_in: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    pending = list(paths)
    while pending:
        path = pending.pop()
        if path not in reached:
            reached.add(path)
            pending.extend(nested_in.get(path, ()))
    return reached


def _passed(
    parameters: Value | None, definition: Definition, *, is_strict: bool = False
) -> LazyEntries:
    """The parameters that a parent passes, each worked out when it is asked for."""
    scope = replace(definition.scope, is_strict=is_strict)
    raw: dict[str, Value] = {}
    if isinstance(parameters, Mapping):
        raw = {name: parameters.entries[name] for name in parameters.entries}
    for _, item in items_of(parameters if isinstance(parameters, Listing) else None):
        if isinstance(item, Mapping):
            name = text_of(item.get("ParameterKey"))
            value = item.get("ParameterValue")
            if name is not None and value is not None:
                raw[name] = value
    return LazyEntries(
        {name: functools.partial(evaluate, value, scope) for name, value in raw.items()}
    )


def _embedded_file(body: Value | None) -> Value | None:
    """The file that `!Rain::Embed` puts in place of a template's text.

    https://aws-cloudformation.github.io/rain/pkg.html
    """
    if not isinstance(body, Mapping) or len(body.entries) != 1:
        return None
    return body.get("Fn::Rain::Embed") or body.get("Rain::Embed")


def _with_sections(root: Mapping, more: Mapping) -> Mapping:
    """A template with what an included file adds to its sections."""
    entries = dict(root.entries)
    spans = {name: root.key_span(name) for name in root.entries}
    for name in more.entries:
        own, added = entries.get(name), more.entries[name]
        if isinstance(own, Mapping) and isinstance(added, Mapping):
            joined = {**added.entries, **own.entries}
            keys = {
                key: own.key_span(key) if key in own.entries else added.key_span(key)
                for key in joined
            }
            entries[name] = replace(own, entries=joined, key_spans=keys)
        elif own is None:
            entries[name] = added
            spans[name] = more.key_span(name)
    return replace(root, entries=entries, key_spans=spans)


def _asset(definition: Definition) -> Value | None:
    """The file of a nested stack that CDK has put beside its parent."""
    metadata = definition.raw.get("Metadata")
    if not isinstance(metadata, Mapping):
        return None
    if text_of(metadata.get(ASSET_PROPERTY)) != "TemplateURL":
        return None
    return metadata.get(ASSET_PATH)


def _provider(pseudo: dict[str, str], span: Span) -> Provider:
    """What stands for a provider block: the account and region that are named for a stack."""
    settings: dict[str, Value] = {}
    if "AWS::Region" in pseudo:
        settings["region"] = Known(pseudo["AWS::Region"], span)
    if "AWS::AccountId" in pseudo:
        account = Known(pseudo["AWS::AccountId"], span)
        settings["allowed_account_ids"] = Listing((account,), span)
    return Provider("", Mapping(settings, span), span) if settings else Provider()


def _same_name(asked: Value, exported: Value) -> bool:
    """Whether an export has the name that is asked for, each hole standing for any text."""
    first, second = parts_of(asked), parts_of(exported)
    if first is None or second is None:
        return False
    if isinstance(asked, Known) and isinstance(exported, Known):
        return show(asked) == show(exported)
    if [_symbol(part) for part in first] == [_symbol(part) for part in second]:
        return True
    for pattern, text in ((first, second), (second, first)):
        known = [part.text for part in pattern if isinstance(part, Fragment)]
        if sum(len(piece.strip("-:_/")) for piece in known) < MIN_COMMON_TEXT:
            continue
        flat = "".join(part.text if isinstance(part, Fragment) else "\ue000" for part in text)
        if fits(pattern, flat):
            return True
    return False


def fits(pattern: Sequence[Fragment | Unknown], text: str) -> bool:
    """Whether a text can be what the parts say, each hole being one character or more."""
    segments = [""]
    for part in pattern:
        if isinstance(part, Fragment):
            segments[-1] += part.text
        else:
            segments.append("")
    first, *middle = segments
    if not text.startswith(first):
        return False
    at = len(first)
    if not middle:
        return at == len(text)
    last = middle.pop()
    for segment in middle:
        found = text.find(segment, at + 1)
        if found < 0:
            return False
        at = found + len(segment)
    return text.endswith(last) and len(text) - len(last) > at


def _symbol(part: Fragment | Unknown) -> str:
    return part.text if isinstance(part, Fragment) else f"«{part.label}»"


def _nearest(candidates: list[tuple[str, Stack]], asking: Stack) -> tuple[str, Stack] | None:
    """The export to take: the only one, or the only one in the nearest folder."""
    own = asking.template.source.path

    def closeness(candidate: tuple[str, Stack]) -> tuple[int, bool]:
        path = candidate[1].template.source.path
        shared = len(posixpath.commonprefix([posixpath.dirname(own), posixpath.dirname(path)]))
        return shared, path.rpartition(".")[2] == own.rpartition(".")[2]

    if not candidates:
        return None
    ranked = sorted(candidates, key=closeness, reverse=True)
    if len(ranked) > 1 and closeness(ranked[0]) == closeness(ranked[1]):
        return None
    return ranked[0]


def relocated(value: Value, deployment: str) -> Value:
    """A value that is used in another stack: its references say which stack they are in."""
    match value:
        case Known(reference=reference) if reference is not None and not reference.deployment:
            return replace(value, reference=replace(reference, deployment=deployment))
        case Unknown(reference=reference) if reference is not None and not reference.deployment:
            return replace(value, reference=replace(reference, deployment=deployment))
        case Text(parts=parts, reference=reference):
            moved = tuple(
                part if isinstance(part, Fragment) else _relocated_hole(part, deployment)
                for part in parts
            )
            if reference is not None and not reference.deployment:
                reference = replace(reference, deployment=deployment)
            return replace(value, parts=moved, reference=reference)
        case Listing(items=items, rest=rest):
            further = relocated(rest, deployment) if rest is not None else None
            return replace(
                value, items=tuple(relocated(item, deployment) for item in items), rest=further
            )
        case _:
            return value


def _relocated_hole(hole: Unknown, deployment: str) -> Unknown:
    reference = hole.reference
    if reference is None or reference.deployment:
        return hole
    return replace(hole, reference=replace(reference, deployment=deployment))
