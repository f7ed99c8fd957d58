"""Text of CloudFormation templates to raw values, each with its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iam_preflight import templatetext
from iam_preflight.source import SourceFile, Span
from iam_preflight.templatetext import TemplateError, read_documents, scalar_of
from iam_preflight.values import Known, Listing, Mapping, plain


def read(text):
    data = text if isinstance(text, bytes) else text.encode()
    return list(read_documents(SourceFile("t.yaml", data)))


def root(text):
    (document,) = read(text)
    return document.root


def fails(text):
    with pytest.raises(TemplateError) as caught:
        read(text)
    return caught.value


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("!Ref Name", {"Ref": "Name"}),
        ("!Condition IsProd", {"Condition": "IsProd"}),
        ('!Sub "${A}-b"', {"Fn::Sub": "${A}-b"}),
        ("!GetAtt Role.Arn", {"Fn::GetAtt": ["Role", "Arn"]}),
        ("!GetAtt Stack.Outputs.Arn", {"Fn::GetAtt": ["Stack", "Outputs.Arn"]}),
        ("!GetAtt [Role, !Ref What]", {"Fn::GetAtt": ["Role", {"Ref": "What"}]}),
        ("!If [A, !Ref B, !Ref C]", {"Fn::If": ["A", {"Ref": "B"}, {"Ref": "C"}]}),
        ("!Join [',', [a, b]]", {"Fn::Join": [",", ["a", "b"]]}),
        ("!Transform {Name: X}", {"Fn::Transform": {"Name": "X"}}),
        ("!Base64\n  Fn::Sub: x", {"Fn::Base64": {"Fn::Sub": "x"}}),
    ],
)
def test_short_forms_are_written_out(short, long):
    assert plain(root(f"a: {short}")) == {"a": long}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("no", False),
        ("On", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("42", 42),
        ("-1", -1),
        ("1.5", 1.5),
        ("2012-10-17", "2012-10-17"),
        ("012345678901", "012345678901"),
        ("1.10", "1.10"),
        ("1_000", "1_000"),
        ("22:22", "22:22"),
        ("y", "y"),
        ("1e3", "1e3"),
        ("99999999999999999999", "99999999999999999999"),
    ],
)
def test_plain_scalars_are_typed_unless_they_would_change(text, value):
    assert scalar_of(text) == value
    assert type(scalar_of(text)) is type(value)


def test_quoted_scalars_are_text():
    assert plain(root("[\"true\", '1', !!str 2]")) == ["true", "1", "2"]


def test_keys_are_text_as_written():
    assert list(root('true: 1\n0123: 2\n"x y": 3').entries) == ["true", "0123", "x y"]


def test_anchors_aliases_and_merge_keys():
    found = root("""
base: &base {a: 1, b: 2}
one: {<<: *base, b: 3}
two:
  <<: [{a: 9}, *base]
  c: 4
same: *base
""")
    assert plain(found) == {
        "base": {"a": 1, "b": 2},
        "one": {"b": 3, "a": 1},
        "two": {"c": 4, "a": 9, "b": 2},
        "same": {"a": 1, "b": 2},
    }


def test_a_key_that_is_there_twice_is_said_and_the_last_one_counts():
    (document,) = read("a: 1\nb: 2\na: 3\n")
    assert plain(document.root) == {"a": 3, "b": 2}
    assert [(key, str(span)) for key, span in document.duplicates] == [("a", "t.yaml:3:1")]


def test_every_document_of_a_file_is_read():
    assert [plain(document.root) for document in read("a: 1\n---\nb: 2\n...\n")] == [
        {"a": 1},
        {"b": 2},
    ]


def test_json_that_yaml_does_not_take_is_read_as_json():
    text = json.dumps({"Resources": {"emoji": "\U0001f600"}, "k" * 2000: "v/"})
    assert plain(root(text)) == json.loads(text)
    assert plain(root('{\n\t"a":\t[1,\t2]\n}')) == {"a": [1, 2]}


# ---------------------------------------------------------------- places


def spans(value, at=""):
    yield at, value.span
    if isinstance(value, Mapping):
        for key in value.entries:
            yield f"{at}/{key}#", value.key_span(key)
            yield from spans(value.entries[key], f"{at}/{key}")
    elif isinstance(value, Listing):
        for i, item in enumerate(value.items):
            yield from spans(item, f"{at}/{i}")


def test_every_node_has_its_place():
    text = """\
# é comes first
a:   x é y
b: !Sub "q"
c:
  - &n 1
  - {k: 'v'}
d: |
    line
    more
e: !GetAtt Role.Arn
f: *n
g: !If
  - C
  - !Ref X
"""
    places = {at: span.text for at, span in spans(root(text))}
    assert places["/a"] == "x é y"
    assert places["/a#"] == "a"
    assert places["/b"] == '!Sub "q"'
    assert places["/b/Fn::Sub"] == '"q"'
    assert places["/b/Fn::Sub#"] == "!Sub"
    assert places["/c/0"] == "1"
    assert places["/c/1"] == "{k: 'v'}"
    assert places["/c/1/k"] == "'v'"
    assert places["/c"] == "- &n 1\n  - {k: 'v'}"
    assert places["/d"] == "|\n    line\n    more"
    assert places["/e/Fn::GetAtt/0"] == "Role"
    assert places["/e/Fn::GetAtt/1"] == "Arn"
    assert places["/f"] == "1"
    assert places["/g"] == "!If\n  - C\n  - !Ref X"


def test_columns_count_characters_also_after_a_byte_order_mark():
    (document,) = read("\ufeffé: [ü, ok]\n".encode())
    items = document.root.entries["é"].items
    assert [(str(item.span), item.span.text) for item in items] == [
        ("t.yaml:1:6", "ü"),
        ("t.yaml:1:9", "ok"),
    ]


def test_windows_line_ends_do_not_move_places():
    found = root(b"a: x\r\nb:\r\n  c: y\r\n")
    assert found.entries["b"].entries["c"].span.text == "y"
    assert found.entries["b"].entries["c"].span.line == 3


# ---------------------------------------------------------------- faults and bounds


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1, 2\nb: 3", "t.yaml:2:2"),
        ("a: b: c", "t.yaml:1:5"),
        ("\ta: 1", "t.yaml:1:1"),
        ("a: *nowhere", "t.yaml:1:4"),
        ("? [a]\n: b", "t.yaml:1:3"),
        ("a: \x00", "t.yaml:1:4"),
        (b"a: \xff", "t.yaml:1:4"),
        ("a: 'b", "t.yaml:1:4"),
    ],
)
def test_broken_text_is_refused_with_a_place(text, place):
    error = fails(text)
    assert error.message
    assert str(error.span).startswith("t.yaml:")
    assert str(error.span) == place


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000 + "a", "{a: " * 5_000])
def test_deep_nesting_is_bounded(text):
    error = fails(text)
    assert error.is_limit or "YAML" in error.message


def test_an_alias_bomb_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    error = fails("\n".join(lines))
    assert error.is_limit
    assert "aliases" in error.message


def test_the_number_of_nodes_is_bounded(monkeypatch):
    monkeypatch.setattr(templatetext, "MAX_NODES", 50)
    assert fails("- [1, 2, 3]\n" * 50).is_limit


# ---------------------------------------------------------------- properties


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(data):
    try:
        documents = read(data)
    except TemplateError as error:
        assert 0 <= error.span.start <= len(data)
        return
    for document in documents:
        for _, span in spans(document.root):
            assert 0 <= span.start <= span.end <= len(data)


yaml_text = st.text(alphabet=list("ab{}[]:,-!&*|>'\"#?\n \t\\é<@%0123"), max_size=120)


@settings(max_examples=500, deadline=None)
@given(yaml_text)
def test_no_text_that_looks_like_yaml_crashes_the_reader(text):
    try:
        documents = read(text)
    except TemplateError as error:
        assert isinstance(error.span, Span)
        return
    for document in documents:
        for _, span in spans(document.root):
            assert 0 <= span.start <= span.end <= len(text.encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4), st.booleans())
def test_json_means_the_same_here_as_anywhere(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1)
    try:
        found = root(text)
    except TemplateError:
        # characters that neither YAML nor strict JSON text may hold
        assert any(not char.isprintable() for char in text if char not in "\n ")
        return
    # a merge key, the sign for a hole, and what only YAML takes for line ends
    if not any(special in text for special in ("<<", "\ue000", "\x85", "\u2028", "\u2029")):
        assert plain(found) == value


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40))
def test_a_scalar_is_found_where_its_place_says(text):
    quoted = json.dumps(text, ensure_ascii=False)
    try:
        found = root(f"é: [{quoted}]")
    except TemplateError:
        return
    (item,) = found.entries["é"].items
    assert isinstance(item, Known)
    assert item.value == text
    assert item.span.text == quoted
