"""YAML (and JSON) text to nodes that know their place.

For the files that people write for us: settings, custom rules, and the ignores in templates.
Nothing is constructed: tags stay text, aliases stay references, so that hostile input costs no
more than its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam_preflight.source import Position, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import Mark, Node
    from yaml.tokens import Token

    from iam_preflight.source import SourceFile

MAX_NODES = 200_000
"""More nodes than this, aliases counted each time they are used, are refused."""

MAX_DEPTH = 100


class YamlError(ValueError):
    """The text is not YAML, or more of it than anybody writes: why, and where."""

    def __init__(self, message: str, span: Span, *, is_limit: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.is_limit = is_limit


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def compose(source: SourceFile) -> Node | None:
    """The first document of a file as nodes; None when it is empty. Raises `YamlError`."""
    import yaml

    try:
        loader = _loader()(source.data)
        try:
            root: Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise YamlError(_reason(error), _place(source, error)) from None
    except (RecursionError, ValueError) as error:
        raise YamlError(f"cannot be read: {error}", Span(source, 0, 0)) from None
    if root is not None:
        _check_size(source, root)
    return root


def _reason(error: Exception) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None)
    return str(problem or error).replace("\n", " ")


def _place(source: SourceFile, error: Exception) -> Span:
    mark = getattr(error, "problem_mark", None)
    at = _offset(source, mark) if mark is not None else 0
    return Span(source, at, at)


def _check_size(source: SourceFile, root: Node) -> None:
    """Refuses what would take for ever to walk: deep nesting, cycles, alias bombs."""
    count = 0
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            message = "too many values, or nested too deeply"
            raise YamlError(message, span_of(source, node), is_limit=True)
        if isinstance(node.value, list):
            for child in node.value:
                nodes = child if isinstance(child, tuple) else (child,)
                stack.extend((inner, depth + 1) for inner in nodes)


def tokens(source: SourceFile) -> Iterator[Token]:
    """The tokens of a file; raises `YamlError` where they end before the file does."""
    import yaml

    try:
        yield from yaml.scan(source.data, Loader=_loader())
    except yaml.YAMLError as error:
        raise YamlError(_reason(error), _place(source, error)) from None
    except ValueError as error:
        raise YamlError(f"cannot be read: {error}", Span(source, 0, 0)) from None


def _offset(source: SourceFile, mark: Mark) -> int:
    return source.offset(Position(mark.line + 1, mark.column + 1))


def span_of(source: SourceFile, node: Node | Token) -> Span:
    """The place of a node or token."""
    start, end = _offset(source, node.start_mark), _offset(source, node.end_mark)
    return Span(source, start, max(start, end))


def is_mapping(node: Node | None) -> bool:
    from yaml import MappingNode

    return isinstance(node, MappingNode)


def is_sequence(node: Node | None) -> bool:
    from yaml import SequenceNode

    return isinstance(node, SequenceNode)


def pairs(node: Node | None) -> Iterator[tuple[Node, Node]]:
    """Keys and values of a mapping node; nothing for another node."""
    if node is not None and is_mapping(node):
        yield from node.value


def items(node: Node | None) -> Iterator[Node]:
    """Items of a sequence node; nothing for another node."""
    if node is not None and is_sequence(node):
        yield from node.value


def text(node: Node | None) -> str | None:
    """The text of a scalar node."""
    from yaml import ScalarNode

    return str(node.value) if isinstance(node, ScalarNode) else None


def child(node: Node | None, *keys: str) -> Node | None:
    """What a route of keys leads to; the last of repeated keys wins, as YAML loaders have it."""
    for key in keys:
        found = None
        for name, value in pairs(node):
            if text(name) == key:
                found = value
        if found is None:
            return None
        node = found
    return node
