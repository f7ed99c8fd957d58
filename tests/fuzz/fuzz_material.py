"""What the fuzz targets are fed: arbitrary bytes, real files, and real files with damage done."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

from hypothesis import strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures"
LARGEST = 12_000
"""Seeds are kept small, so that many of them can be tried."""
MOST_FROM_CORPORA = 3_000

FRAGMENTS = tuple(
    fragment.encode("utf-8", "surrogatepass")
    for fragment in (
        *(
            '"',
            "'",
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "${",
            "%{",
            "%{ endif }",
            "~}",
            "$${",
            "\\",
            "/*",
        ),
        *("<<EOT\n", "<<-EOT\n", "EOT\n", "#", "//", "=", ":", ",", "\n", "\r\n", "\r", "\t", " "),
        *(
            "null",
            "true",
            "-1",
            "1e999",
            "1e99999999",
            "-10e999999999999999999",
            "1e-99999999",
            "7" * 5_000,
            "0x",
            "99999999999999999999",
            "0.1",
            "*",
            "?",
            "...",
            "=>",
        ),
        *(
            "[for x in y : x]",
            "{for k, v in m : k => v...}",
            "a ? b : c",
            "var.x[*].y",
            "each.value",
        ),
        *(
            "module.a.b",
            "local.a",
            "self.x",
            "count.index",
            "path.module",
            "data.a.b.c",
            "range(9)",
        ),
        *('"${a}"', "jsonencode({})", 'file("x")', "try(1/0, 2)", "dynamic", "for_each = {}\n"),
        *("!Ref x", "!Sub '${a}'", "!GetAtt a.b", "!If [a, b, c]", "&a", "*a", "<<: *a", "---\n"),
        *(
            "Fn::Join: [a, b]",
            "{Ref: x}",
            "Fn::ForEach::x: [a, [b], {}]",
            "- ",
            "? ",
            "|\n",
            ">-\n",
        ),
        *(
            "!!binary x",
            "%YAML 1.1\n",
            "\ufeff",
            "\u2028",
            "\x85",
            "é",
            "\U0001f600",
            "\ud800",
            "\0",
        ),
        *('"Statement"', '"Effect": "Deny"', '"Action": []', '"Principal": {}', '"Condition": 1'),
        *("# iam-preflight: ignore[", "# iam-preflight: ignore[LEAST-001] x until=2020-13-45\n"),
        *("iam:*", "sts:AssumeRole", "arn:aws:iam::", "arn:", "::::::", "aws:PrincipalOrgID", "{{"),
        *(
            "${{ github.event.x }}",
            "on: [push]\n",
            "id-token: write\n",
            "\x1b[2J",
            "\u202e",
            "\xff",
        ),
    )
)


@functools.cache
def seeds(*suffixes: str) -> tuple[bytes, ...]:
    """Small real files by the end of their names: the project's own, and those of corpora."""
    folders = [FIXTURES]
    corpora = os.environ.get("IAM_PREFLIGHT_CORPORA")
    if corpora:
        folders.append(Path(corpora))
    found: list[bytes] = []
    for folder in folders:
        kept = 0
        for file in sorted(folder.rglob("*")):
            if file.name.endswith(suffixes) and file.is_file() and not file.is_symlink():
                if 0 < file.stat().st_size <= LARGEST:
                    found.append(file.read_bytes())
                    kept += 1
            if folder is not FIXTURES and kept >= MOST_FROM_CORPORA:
                break
    return tuple(found) or (b"",)


@st.composite
def damaged(draw: st.DrawFn, *suffixes: str) -> bytes:
    """A real file with some of it cut, doubled, moved, replaced or filled with foreign bits."""
    files = seeds(*suffixes)
    data = draw(st.sampled_from(files))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 60)))
        match draw(st.integers(0, 5)):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:end] + data[start:end] + data[end:]
            case 2:
                data = data[:start] + draw(st.sampled_from(FRAGMENTS)) + data[end:]
            case 3:
                data = data[:start] + draw(st.sampled_from(FRAGMENTS)) + data[start:]
            case 4:
                other = draw(st.sampled_from(files))
                at = draw(st.integers(0, len(other)))
                data = data[:start] + other[at : at + 200] + data[end:]
            case 5:
                data = data[:start] + draw(st.binary(max_size=6)) + data[end:]
    return data


def anything(*suffixes: str) -> st.SearchStrategy[bytes]:
    """Damaged files mostly, fragments strung together, and a few arbitrary bytes."""
    strung = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join)
    real = damaged(*suffixes)
    return st.one_of(real, real, strung, st.binary(max_size=200))


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [
            *(
                "*",
                "iam:*",
                "s3:GetObject",
                "sts:AssumeRole",
                "arn:aws:iam::111122223333:root",
                "?",
            ),
            *("arn:aws:iam::*:role/*", "Allow", "Deny", "2012-10-17", "${aws:username}", "${", ""),
            *("true", "aws:PrincipalOrgID", "lambda.amazonaws.com", "10.0.0.0/8", "2020-01-01"),
        ]
    ),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def _usually(usual: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(usual, usual, usual, trees)


_texts = st.one_of(scalars, st.lists(scalars, max_size=3))
_operators = st.sampled_from(
    [
        *("StringEquals", "StringLike", "ForAnyValue:StringLike", "ForAllValues:StringEquals"),
        *("IpAddress", "Bool", "Null", "DateLessThan", "NumericLessThan", "ArnLike", "Nonsense"),
        *("StringNotEqualsIfExists", "ForAnyValue:", "BinaryEquals"),
    ]
)
_keys = st.sampled_from(
    [
        *("aws:PrincipalOrgID", "aws:SourceArn", "aws:SourceIp", "aws:PrincipalTag/team", "a"),
        *("iam:PassedToService", "sts:ExternalId", "aws:MultiFactorAuthPresent", "aws:TagKeys", ""),
        *("token.actions.githubusercontent.com:sub", "aws:ResourceTag/${x}", "kms:ViaService"),
    ]
)
statements = st.fixed_dictionaries(
    {},
    optional={
        "Sid": _usually(st.text(max_size=6)),
        "Effect": _usually(st.sampled_from(["Allow", "Deny"])),
        "Action": _usually(_texts),
        "NotAction": _usually(_texts),
        "Resource": _usually(_texts),
        "NotResource": _usually(_texts),
        "Principal": _usually(
            st.one_of(
                st.just("*"),
                st.dictionaries(
                    st.sampled_from(["AWS", "Service", "Federated", "CanonicalUser", "x"]),
                    _texts,
                    max_size=2,
                ),
            )
        ),
        "NotPrincipal": _usually(st.dictionaries(st.just("AWS"), _texts, max_size=1)),
        "Condition": _usually(
            st.dictionaries(_operators, st.dictionaries(_keys, _texts, max_size=2), max_size=2)
        ),
    },
)
policies = _usually(
    st.fixed_dictionaries(
        {"Version": _usually(st.just("2012-10-17"))},
        optional={
            "Statement": _usually(st.one_of(statements, st.lists(statements, max_size=3))),
            "Id": trees,
        },
    )
)


@st.composite
def mangled_json(draw: st.DrawFn, *suffixes: str) -> bytes:
    """A real JSON document in which some values are others."""
    documents = _documents(*suffixes)
    document = json.loads(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 4))):
        document = _with_other(draw, document)
    return json.dumps(document).encode()


@functools.cache
def _documents(*suffixes: str) -> tuple[bytes, ...]:
    found = []
    for data in seeds(*suffixes):
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            continue
        found.append(data)
    return tuple(found) or (b"{}",)


def _with_other(draw: st.DrawFn, value: object) -> object:
    """The value with one of the values inside replaced; a leaf is replaced itself."""
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: _with_other(draw, value[key])}
    if isinstance(value, list) and value:
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], _with_other(draw, value[index]), *value[index + 1 :]]
    return draw(trees)
