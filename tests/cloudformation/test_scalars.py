"""Text that is written in pieces knows where each piece stands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iam_preflight.cloudformation.scalars import fragments_of
from iam_preflight.jsontext import parse_json
from iam_preflight.source import SourceFile
from iam_preflight.templatetext import TemplateError, read_documents
from iam_preflight.values import Known


def scalar(text):
    (document,) = read_documents(SourceFile("t.yaml", text.encode()))
    value = document.root.entries["a"]
    assert isinstance(value, Known)
    return value


def words(text):
    """Each word of a scalar, and the line and column it is written at."""
    return [
        (piece.text, piece.span.text, str(piece.span)[7:])
        for piece in fragments_of(scalar(text))
        if piece.text.strip() and not piece.text[0].isspace()
    ]


def test_a_block_scalar_without_its_indentation():
    assert words("a: |\n    one {\n      two\n    }\n") == [
        ("one {", "one {", "2:5"),
        ("two", "two", "3:7"),
        ("}", "}", "4:5"),
    ]


def test_a_folded_scalar():
    assert words("a: >-\n  one\n  two\n\n  three\n") == [
        ("one", "one", "2:3"),
        ("two", "two", "3:3"),
        ("three", "three", "5:3"),
    ]


def test_escapes_in_double_quotes():
    assert words('a: "x\\"é\\u00e9y"\n') == [
        ("x", "x", "1:5"),
        ('"', '\\"', "1:6"),
        ("é", "é", "1:8"),
        ("é", "\\u00e9", "1:9"),
        ("y", "y", "1:15"),
    ]


def test_doubled_single_quotes():
    assert words("a: 'it''s'\n") == [
        ("it", "it", "1:5"),
        ("'", "''", "1:7"),
        ("s", "s", "1:9"),
    ]


def test_plain_text_over_several_lines():
    assert words("a: one\n   two\n") == [("one", "one", "1:4"), ("two", "two", "2:4")]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_json_in_a_block_scalar_has_places_in_the_file(newline):
    text = newline.join(
        ["a: |", "  {", '    "Action": "s3:*",', '    "Resource": ["*", "é", "x"]', "  }", ""]
    )
    document = parse_json(Known(scalar(text).value, scalar(text).span, fragments_of(scalar(text))))
    action = document.get("Action")
    assert (str(action.span), action.span.text) == ("t.yaml:3:15", '"s3:*"')
    assert document.key_span("Action").line == 3
    assert [(str(item.span)[7:], item.span.text) for item in document.get("Resource").items] == [
        ("4:18", '"*"'),
        ("4:23", '"é"'),
        ("4:28", '"x"'),
    ]


def test_json_in_a_quoted_string_of_json():
    text = '{"a": "{\\"Action\\": \\"s3:*\\"}"}'
    value = scalar(text)
    document = parse_json(Known(value.value, value.span, fragments_of(value)))
    assert document.get("Action").span.line == 1
    assert "s3:*" in document.get("Action").span.text


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["|", "|-", "|+", ">", ">-", '"', "'", ""]),
    st.lists(st.text(alphabet="aé {}\"'\\:,", max_size=12), max_size=5),
)
def test_the_pieces_are_the_whole_text_and_stand_in_it(style, lines):
    body = "\n".join(f"  {line}" for line in lines)
    text = f"a: {style}\n{body}\n" if style[:1] in ("|", ">") else f"a: {style}{body}{style}\n"
    try:
        value = scalar(text)
    except (TemplateError, AssertionError, ValueError):
        return
    pieces = fragments_of(value)
    if isinstance(value.value, str):
        assert "".join(piece.text for piece in pieces) == value.value
    for piece in pieces:
        assert value.span.contains(piece.span)
