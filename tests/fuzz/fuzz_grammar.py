"""Damage that knows the grammar: parts of real files take each other's places.

What comes out is nearly always syntax, so that it gets past the readers and to what evaluates,
joins and judges. A text that must never be shown is woven in where the language marks it.
"""

from __future__ import annotations

import copy
import datetime as dt
import functools
import json
from typing import TYPE_CHECKING, Any

import tree_sitter
import tree_sitter_hcl
import yaml
from fuzz_material import FIXTURES, FRAGMENTS, seeds, trees
from hypothesis import strategies as st

from iam_preflight.account.export import ExportError
from iam_preflight.account.load import load_account
from iam_preflight.source import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import Node

CANARY = "canary-never-shown"
SECRET_NAME = "fuzz_secret"
SECRET = f'variable "{SECRET_NAME}" {{\n  sensitive = true\n  default   = "{CANARY}"\n}}\n'
MOST_PARSED = 600
MOST_OF_A_KIND = 400
LONGEST_PART = 600

ODD_TEXTS = (
    *("", "*", "?", "${", "${x}", "$${x}", "%{if", "\0", "\n", "\x1b[31m", "::error::x", "<b>"),
    *("arn:", "arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:root", "111122223333", "::::::"),
    *("Allow", "Deny", "iam:*", "iam:PassRole", "sts:AssumeRole", "s3:Get*", "aws:username"),
    *("2024-02-30", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "N/A", "true", "-1"),
    *("1e999", "9" * 400, "é\U0001f600", "../../etc/passwd", "/etc/passwd", "a" * 300, "|", "`"),
    *('{"Statement": []}', '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'),
)
ODD_NUMBERS = (0, -1, 1.5, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, 1e308, -0.0)
odd_scalars = st.one_of(
    st.sampled_from(ODD_TEXTS), st.sampled_from(ODD_NUMBERS), st.sampled_from([None, True, False])
)


def _spread(files: tuple[bytes, ...], most: int) -> tuple[bytes, ...]:
    """Some of the files, from all over."""
    return files[:: max(1, len(files) // most)]


@st.composite
def _bitten(draw: st.DrawFn, data: bytes) -> bytes:
    """The data, now and then with a few bytes put in or taken out."""
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        upto = min(len(data), at + draw(st.integers(0, 8)))
        data = data[:at] + draw(st.sampled_from([b"", *FRAGMENTS])) + data[upto:]
    return data


# ---------------------------------------------------------------- HCL

_SWAPPED = frozenset(
    {
        *("attribute", "block", "body", "expression", "function_call", "function_arguments"),
        *("identifier", "literal_value", "object", "object_elem", "tuple", "for_expr", "for_intro"),
        *("conditional", "operation", "template_interpolation", "template_directive", "index"),
        *("quoted_template", "heredoc_template", "get_attr", "splat", "string_lit", "for_cond"),
        *("template_literal", "template_for", "template_if", "heredoc_identifier", "numeric_lit"),
    }
)
_WRAPPED = frozenset({"expression", "literal_value", "function_call", "object", "tuple"})
_WRAPS = (
    *(b'"${@}"', b'"a${@}b${@}"', b"[for x in @ : x]", b"{for k, v in @ : k => v...}", b"[@]"),
    *(b"try(@, null)", b"can(@)", b"jsonencode(@)", b"jsondecode(@)", b"yamldecode(@)", b"(@)"),
    *(b"yamlencode(@)", b"@[0]", b"@[*].id", b'@["a"]', b"!@", b"-@", b"@ + @", b"toset(@)"),
    *(b"var.x ? @ : @", b"merge(@, @)", b"concat(@, @)", b"flatten([@, @])", b"keys(@)"),
    *(b"values(@)", b'templatefile("t.tpl", { a = @ })', b"sensitive(@)", b"nonsensitive(@)"),
    *(b'lookup(@, "a", @)', b'format("%s%d%v%q", @...)', b'regex("(a+)+$", @)', b"upper(@)"),
    *(b'replace(@, "/./", "$0$0")', b"element(@, -1)", b"cidrsubnet(@, 8, 1)", b"{ (@) = @ }"),
    *(b"<<EOT\n${@}\nEOT\n", b"<<-EOT\n  %{for x in @}${x}%{endfor}\n  EOT\n", b"one(@)"),
    *(b'split(",", @)', b'join(",", @)', b"base64encode(@)", b"md5(@)", b"setproduct(@, @)"),
    *(b"substr(@, -1, 99)", b"range(@)", b"zipmap(@, @)", b"coalesce(@, @)", b"sort(@)"),
    *(b"transpose(@)", b"formatdate(@, timestamp())", b"file(@)", b"length(@)", b"distinct(@)"),
)
_SECRETS = tuple(
    text.replace("@", f"var.{SECRET_NAME}").encode()
    for text in ("@", '"x-${@}"', "{ Owner = @ }", "[@]", "jsonencode({ a = @ })", "lower(@)")
)


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))


def _places(data: bytes) -> list[tuple[str, int, int]]:
    """The parts of a text that others can take the place of."""
    found = []
    stack = [_parser().parse(data).root_node]
    while stack:
        node = stack.pop()
        if node.type in _SWAPPED and node.end_byte > node.start_byte:
            found.append((node.type, node.start_byte, node.end_byte))
        stack.extend(node.children)
    return found


@functools.cache
def _parts() -> dict[str, list[bytes]]:
    """Parts of real files by their kind."""
    found: dict[str, dict[bytes, None]] = {}
    for data in _spread(seeds(".tf", ".hcl"), MOST_PARSED):
        for kind, start, end in _places(data):
            held = found.setdefault(kind, {})
            if end - start <= LONGEST_PART and len(held) < MOST_OF_A_KIND:
                held[data[start:end]] = None
    return {kind: [*held] for kind, held in found.items() if held}


@st.composite
def spliced_hcl(draw: st.DrawFn, *suffixes: str) -> bytes:
    """A real file in which blocks, expressions and names are those of other files."""
    data = draw(st.sampled_from(seeds(*(suffixes or (".tf",)))))
    parts = _parts()
    for _ in range(draw(st.integers(1, 5))):
        places = _places(data)
        if not places:
            break
        kind, start, end = draw(st.sampled_from(places))
        old = data[start:end]
        match draw(st.integers(0, 6)):
            case 0 | 1:
                new = draw(st.sampled_from(parts.get(kind, [old])))
            case 2 | 3 if kind in _WRAPPED:
                new = draw(st.sampled_from(_WRAPS)).replace(b"@", old)
            case 4 if kind in _WRAPPED:
                new = draw(st.sampled_from(_SECRETS))
            case 5:
                _, other, upto = draw(st.sampled_from(places))
                new = data[other:upto]
            case _:
                new = draw(st.sampled_from([b"", old + b"\n" + old]))
        if len(new) < 4 * LONGEST_PART:
            data = data[:start] + new + data[end:]
    return draw(_bitten(data))


# ---------------------------------------------------------------- YAML

_CORE = "tag:yaml.org,2002:"
_SHORT = (
    *("!Ref", "!Sub", "!GetAtt", "!If", "!Join", "!Select", "!Split", "!FindInMap", "!Base64"),
    *("!ImportValue", "!Equals", "!Not", "!And", "!Or", "!Condition", "!Transform", "!Cidr"),
    *("!GetAZs", "!Length", "!ToJsonString", "!Nonsense", "!", "!reference"),
    *(f"{_CORE}{name}" for name in ("str", "int", "float", "null", "bool", "map", "seq", "set")),
    *(f"{_CORE}{name}" for name in ("binary", "timestamp", "omap", "pairs", "merge", "value")),
    *(f"{_CORE}python/{name}" for name in ("object/apply:os.abort", "name:os.abort", "tuple")),
)
_LONG = (
    *("Ref", "Condition", "Fn::Sub", "Fn::GetAtt", "Fn::If", "Fn::Join", "Fn::Select", "Fn::Split"),
    *("Fn::FindInMap", "Fn::ImportValue", "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "<<"),
    *("Fn::Transform", "Fn::ForEach::x", "Fn::ToJsonString", "Fn::Length", "Fn::Base64", "Type"),
    *("Properties", "DependsOn", "Metadata", "Default", "AllowedValues", "NoEcho", "Fn::GetAZs"),
    *("role-to-assume", "id_tokens", "steps", "on", "permissions", "uses", "with", "env", "if"),
)
MOST_NODES = 3000


GITLAB = b"""\
variables: {ROLE: "arn:aws:iam::111122223333:role/ci"}
workflow: {rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}]}
.common: &common
  id_tokens: {TOKEN: {aud: "https://gitlab.com"}}
deploy:
  <<: *common
  environment: {name: prod}
  variables: {AWS_ROLE_ARN: "$ROLE"}
  script: ["aws sts assume-role-with-web-identity --role-arn ${ROLE}", !reference [.common, script]]
  only: [merge_requests]
"""


@functools.cache
def _composed(*suffixes: str) -> tuple[Node, ...]:
    found = []
    for data in (*_spread(seeds(*suffixes), MOST_PARSED), GITLAB):
        try:
            node = yaml.compose(data, Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, RecursionError, ValueError):
            continue
        if isinstance(node, yaml.MappingNode) and node.value:
            found.append(node)
    return tuple(found)


def _nodes(root: Node) -> list[Node]:
    found: list[Node] = []
    seen: set[int] = set()
    stack = [root]
    while stack and len(found) < MOST_NODES:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        found.append(node)
        if isinstance(node.value, list):
            for child in node.value:
                stack.extend(child if isinstance(child, tuple) else (child,))
    return found


def _scalar(text: str, tag: str = f"{_CORE}str") -> Node:
    return yaml.ScalarNode(tag, text)


def _mapping(*pairs: tuple[str, Node]) -> Node:
    return yaml.MappingNode(f"{_CORE}map", [(_scalar(key), value) for key, value in pairs])


def _become(node: Node, other: Node) -> None:
    """A node takes the kind and content of another."""
    node.__class__, node.tag, node.value = other.__class__, other.tag, other.value


def _change(draw: st.DrawFn, nodes: list[Node], suffixes: tuple[str, ...]) -> None:
    node = draw(st.sampled_from(nodes))
    match draw(st.integers(0, 8)):
        case 0:
            _become(node, draw(st.sampled_from(nodes)))
        case 1:
            others = _nodes(copy.deepcopy(draw(st.sampled_from(_composed(*suffixes)))))
            _become(node, draw(st.sampled_from(others)))
        case 2:
            node.tag = draw(st.sampled_from(_SHORT))
        case 3:
            _become(node, _mapping((draw(st.sampled_from(_LONG)), copy.copy(node))))
        case 4:
            _become(node, _scalar(str(draw(odd_scalars)), draw(st.sampled_from(_SHORT))))
        case 5 if isinstance(node, yaml.MappingNode):
            key = draw(st.sampled_from(["<<", *_LONG]))
            at = draw(st.integers(0, len(node.value)))
            other = draw(st.sampled_from(nodes))
            node.value = [*node.value[:at], (_scalar(key), other), *node.value[at:]]
        case 6 if isinstance(node.value, list) and node.value:
            again = draw(st.sampled_from(node.value))
            node.value = [*node.value, again]
        case 7 if isinstance(node.value, list) and node.value:
            at = draw(st.integers(0, len(node.value) - 1))
            node.value = [*node.value[:at], *node.value[at + 1 :]]
        case _:
            _become(node, _mapping(("Ref", _scalar(SECRET_NAME))))


def _written(root: Node) -> bytes:
    try:
        text = yaml.serialize(root, Dumper=yaml.Dumper, allow_unicode=True)
    except (yaml.YAMLError, RecursionError, AttributeError, ValueError, TypeError):
        return b"{}"
    return text.encode("utf-8", "replace")


@st.composite
def spliced_yaml(draw: st.DrawFn, *suffixes: str, has_secret: bool = False) -> bytes:
    """A real file whose nodes are tagged, aliased, merged and exchanged otherwise."""
    root = copy.deepcopy(draw(st.sampled_from(_composed(*suffixes))))
    for _ in range(draw(st.integers(1, 5))):
        _change(draw, _nodes(root), suffixes)
    if has_secret and isinstance(root, yaml.MappingNode):
        given = {"Type": "String", "NoEcho": "true", "Default": CANARY}
        secret = _mapping(*((key, _scalar(text)) for key, text in given.items()))
        root.value = [
            pair for pair in root.value if getattr(pair[0], "value", "") != "Parameters"
        ] + [(_scalar("Parameters"), _mapping((SECRET_NAME, secret)))]
        return _written(root)
    return draw(_bitten(_written(root)))


# ---------------------------------------------------------------- JSON


def _routes(value: Any, route: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to everything in a document."""
    yield route
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _routes(item, (*route, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _routes(item, (*route, index))


def _at(value: Any, route: tuple[Any, ...]) -> Any:
    for step in route:
        value = value[step]
    return value


def _put(value: Any, route: tuple[Any, ...], new: Any) -> Any:
    if not route:
        return new
    holder = _at(value, route[:-1])
    holder[route[-1]] = new
    return value


def _mutated(draw: st.DrawFn, document: Any, others: tuple[bytes, ...]) -> Any:
    routes = [*_routes(document)]
    route = draw(st.sampled_from(routes))
    old = _at(document, route)
    match draw(st.integers(0, 7)):
        case 0:
            new = draw(trees)
        case 1 | 2:
            new = draw(odd_scalars)
        case 3:
            new = copy.deepcopy(_at(document, draw(st.sampled_from(routes))))
        case 4:
            other = json.loads(draw(st.sampled_from(others)))
            new = _at(other, draw(st.sampled_from([*_routes(other)])))
        case 5:
            new = [old] if draw(st.booleans()) else {str(draw(odd_scalars)): old}
        case 6 if isinstance(old, dict) and old:
            gone = draw(st.sampled_from([*old]))
            new = {key: item for key, item in old.items() if key != gone}
            if draw(st.booleans()):
                new[str(draw(odd_scalars))] = old[gone]
        case _ if isinstance(old, list) and old:
            new = [*old, draw(st.sampled_from(old))] * draw(st.sampled_from([0, 1, 2]))
        case _:
            new = json.dumps(old)
    return _put(document, route, new)


@st.composite
def spliced_json(draw: st.DrawFn, documents: tuple[bytes, ...]) -> bytes:
    """A real document whose values are others', of another kind, doubled or gone."""
    document = json.loads(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 5))):
        document = _mutated(draw, document, documents)
    return draw(_bitten(json.dumps(document, ensure_ascii=draw(st.booleans())).encode(*_HALVES)))


_HALVES = ("utf-8", "replace")


@functools.cache
def json_seeds(*suffixes: str) -> tuple[bytes, ...]:
    found = []
    for data in _spread(seeds(*suffixes), MOST_PARSED):
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            continue
        found.append(data)
    return tuple(found) or (b"{}",)


@functools.cache
def exports() -> tuple[bytes, ...]:
    """The snapshots of accounts among the fixtures."""
    found = []
    for file in sorted(FIXTURES.rglob("*")):
        if file.suffix not in (".json", ".csv") or not file.is_file():
            continue
        source = SourceFile(file.name, file.read_bytes(), is_record=True)
        problems: list[Any] = []
        try:
            made = [*load_account([source], dt.date(2026, 1, 1), 10**6, problems)]
        except ExportError:
            continue
        if made and not problems:
            found.append(source.data)
    return tuple(found)


def json_exports() -> tuple[bytes, ...]:
    return tuple(data for data in exports() if data.lstrip().startswith(b"{"))
