"""Text of a scanned repository is data: in no format does it act, and no format breaks on it."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_formats import render

from iam_preflight.reporters import escape, json_report, model
from iam_preflight.reporters.excerpts import _SECRETS, _masked, without_secrets

NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "]]><!--",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe\u2066",
    "::error file=a::owned\n::set-output name=a::b",
    "%0A::warning::x",
    "```\n# heading\n```",
    "| a | b |\n|---|---|",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "@everyone #1 GH-1 user/repo#1 http://evil.example www.evil.example a@evil.example",
    "&lt;b&gt; &#60; &amp;",
    '" onmouseover="alert(1)',
    "\x00\x01\ufffe\uffff",
    "\ud800 half",
    "a\r\nb\u2028c\u2029d\x85e",
    "{{constructor.constructor('x')()}} ${7*7}",
    "zero\u200bwidth\u00adjoin\ufeff",
    "\U000e0041\U000e007f tags",
]
nasty = st.one_of(st.sampled_from(NASTY), st.text(max_size=40))
names = st.tuples(nasty, nasty).map("".join)

places = st.builds(
    model.Place,
    file=names,
    line=st.integers(1, 99),
    column=st.integers(1, 99),
    end_line=st.integers(1, 99),
    end_column=st.integers(1, 99),
    label=names,
)
excerpts = st.builds(
    model.Excerpt,
    file=names,
    lines=st.tuples(st.builds(model.Line, number=st.just(3), text=names)),
    marks=st.tuples(
        st.builds(
            model.Mark,
            line=st.just(3),
            column=st.integers(1, 60),
            end_column=st.integers(1, 60),
            label=names,
        )
    ),
)
findings = st.builds(
    model.Finding,
    rule=st.just("TEST-001"),
    severity=st.sampled_from(model.SEVERITIES),
    confidence=st.just("high"),
    message=names,
    address=names,
    addresses=st.lists(names, max_size=3).map(tuple),
    type=names,
    root=names,
    place=places,
    fingerprint=st.uuids().map(str),
    outcome=st.sampled_from(["shown", "suppressed", "hidden"]),
    reason=names,
    principal=names,
    environment=names,
    group=names,
    hint=names,
    assumptions=st.lists(names, max_size=2).map(tuple),
    related=st.lists(places, max_size=2).map(tuple),
    steps=st.lists(places, max_size=2).map(tuple),
    excerpts=st.lists(excerpts, max_size=1).map(tuple),
)
problems = st.builds(
    model.Problem, code=st.just("SCAN-901"), message=names, file=names, line=st.integers(0, 9)
)
changes = st.builds(
    model.Change,
    base=names,
    head=names,
    trust=st.tuples(
        st.builds(model.Trust, address=names, who=names, kind=names, message=names, place=places)
    ),
    access=st.tuples(
        st.builds(
            model.Access,
            address=names,
            subject=names,
            message=names,
            action=names,
            resource=names,
            place=places,
        )
    ),
    ignores=st.tuples(
        st.builds(model.AddedIgnore, rules=st.tuples(names), reason=names, place=places)
    ),
    fixed=st.tuples(findings),
)


def node(name: str) -> dict[str, object]:
    return {
        "id": name,
        "kind": "role",
        "type": name,
        "name": name,
        "file": name,
        "line": 1,
        "environment": name,
        "account": name,
        "tags": {name: name},
        "policies": [],
    }


reports = st.builds(
    model.Report,
    version=st.just(model.VERSION),
    tool=st.just(model.Tool(version="0")),
    verdict=st.just("findings"),
    fail_on=st.just("low"),
    counts=st.just(model.Counts(high=1, suppressed=1)),
    coverage=st.builds(
        model.Coverage,
        **{name: st.just(1) for name in ("principals", "policies", "full", "partly", "none")},
        unresolved=st.tuples(st.builds(model.Unresolved, reason=names, policies=st.just(1))),
    ),
    files=st.just(1),
    findings=st.lists(findings, max_size=2).map(tuple),
    problems=st.lists(problems, max_size=2).map(tuple),
    rules=st.just(
        (
            model.Rule(
                id="TEST-001", name="test", title="A test", severity="high", practice=1, page="x"
            ),
        )
    ),
    practices=st.just({"1": "One"}),
    change=st.one_of(st.none(), changes),
    graph=names.map(lambda name: {"version": 1, "nodes": [node(name)], "edges": []}),
)
OPTIONS = model.Options(show_suppressed=True)
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
calm = settings(max_examples=60)


def encodable(text: str) -> str:
    """What every stream of ours makes of halves of characters."""
    return text.encode("utf-8", "replace").decode()


@calm
@given(reports)
def test_terminal_sees_no_control_and_no_reordering(report: model.Report) -> None:
    text = render("text", report, OPTIONS)
    assert UNSEEN.search(text.replace("\n", "")) is None
    encodable(text)


@calm
@given(reports)
def test_annotations_cannot_be_forged(report: model.Report) -> None:
    """Each command is one line of ours; nothing in a name starts another."""
    lines = render("github", report, OPTIONS).split("\n")
    assert lines.pop() == ""
    assert len(lines) <= len(report.shown) + len(report.problems) + 1
    for line in lines:
        assert re.match(r"::(error|warning|notice) [^\n]*::", line)
        assert UNSEEN.search(line) is None
        properties = line.split("::")[1].split(" ", 1)[1]
        keys = [one.split("=")[0] for one in next(csv.reader([properties]))]
        assert set(keys) <= {"file", "line", "endLine", "col", "endColumn", "title"}


@calm
@given(reports)
def test_junit_is_well_formed(report: model.Report) -> None:
    ET.fromstring(encodable(render("junit", report, OPTIONS)))


@calm
@given(reports)
@pytest.mark.parametrize("name", ["json", "sarif", "gitlab", "gitlab-sast"])
def test_json_formats_are_utf8_json(name: str, report: model.Report) -> None:
    text = render(name, report, OPTIONS)
    json.loads(text.encode("utf-8"))
    assert UNSEEN.search(text) is None


@calm
@given(reports)
def test_json_reads_back(report: model.Report) -> None:
    text = render("json", report, OPTIONS)
    again = json_report.read(text.encode())
    assert render("json", again, OPTIONS) == text


ALLOWED = re.findall(
    r"\w+",
    "html head meta title style body header div h1 h2 h3 span nav a main section b svg rect circle"
    " path table tr th td noscript p input label select option canvas button article details"
    " summary"
    " pre mark ol ul li dl dt dd br script code path",
)
URL_ATTRIBUTES = {"href", "src", "action", "formaction", "data", "srcset", "xlink:href"}


class Page(html.parser.HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.scripts += tag == "script"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


@calm
@given(reports)
def test_html_has_only_our_elements_and_no_handlers(report: model.Report) -> None:
    text = encodable(render("html", report, OPTIONS))
    page = Page()
    page.feed(text)
    page.close()
    assert set(page.tags) <= set(ALLOWED)
    assert page.scripts == 3
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    urls = [value or "" for name, value in page.attributes if name in URL_ATTRIBUTES]
    assert all(value.startswith("#") for value in urls)
    assert UNSEEN.search(text.replace("\n", "")) is None


@calm
@given(reports)
def test_html_policy_names_exactly_its_scripts(report: model.Report) -> None:
    import base64
    import hashlib

    text = encodable(render("html", report, OPTIONS))
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0])
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    blocks = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
    hashes = {
        base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() for _, block in blocks
    }
    assert set(re.findall(r"'sha256-([^']*)'", policy)) == hashes


@given(names)
def test_markdown_text_has_no_markup(text: str) -> None:
    escaped = escape.markdown(text)
    assert re.search(r"[<>`*\[\]|~$\\]|\b_|_\b|&(?!#\d+;)", escaped) is None
    assert re.search(r"[@]\w|(?<!&)#\w|GH-\d", escaped) is None
    assert "\n" not in escaped
    assert "://" not in escaped
    assert not re.search(r"(?i)\bwww\.", escaped)
    assert html.unescape(escaped).replace("\u2060", "") == escape.visible(text)


@given(st.text("`|a\n ", max_size=12))
def test_markdown_code_cannot_be_left(text: str) -> None:
    code = escape.code(text)
    fence = re.match(r"`+", code)[0]  # type: ignore[index]
    inner = code[len(fence) : -len(fence)]
    assert code.endswith(fence)
    assert fence not in re.findall(r"`+", inner)
    assert not re.search(r"(?<!\\)\|", code)


@given(names)
def test_visible_text_is_one_line_and_stays(text: str) -> None:
    once = escape.visible(text)
    assert once == escape.visible(once)
    assert not set(once) & set("\n\r\t\x1b\u202e")


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ('access_key = "AKIAIOSFODNN7ABCDEFG"', 'access_key = "AKIAIO«sensitive»···"'),
        (
            'secret_key = "wJalrXUtnFEMIK7MDENGbPxRfiCYabcdefKEYxyz"',
            'secret_key = "«sensitive»·····························"',
        ),
        ('password = "hunter2hunter2"', 'password = "«sensitive»···"'),
        ("DB_PASSWORD: 'correct-horse-battery'", "DB_PASSWORD: '«sensitive»··········'"),
        ("        Password: correct-horse-battery", "        Password: «sensitive»··········"),
        ("{ Password: correct-horse-battery }", "{ Password: «sensitive»·········· }"),
        (
            "export AWS_SECRET_ACCESS_KEY=q9Rk2vXw+Tz7uB4nMc8yLf1sHd6gJp3eWa5iVoQx",
            "export AWS_SECRET_ACCESS_KEY=«sensitive»·····························",
        ),
        (
            "set KEY=q9Rk2vXw+Tz7uB4nMc8yLf1sHd6gJp3eWa5iVoQx",
            "set KEY=«sensitive»·····························",
        ),
        ("DB_PASSWORD=correct-horse-battery ./start", "DB_PASSWORD=«sensitive»·········· ./start"),
        ("curl --token=correct-horse; date", "curl --token=«sensitive»··; date"),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_its_place(line: str, masked: str) -> None:
    assert without_secrets(line) == masked
    assert len(masked) == len(line)


@pytest.mark.parametrize(
    "line",
    [
        "actions = [\"secretsmanager:GetSecretValue\", 'sts:AssumeRole']",
        "password = var.password",
        "password=var.password",
        "export TOKEN=$(aws ssm get-parameter)",
        "export TOKEN=$TOKEN DB_PASSWORD=`pass show db`",
        'secret = "${var.secret_value}"',
        'role = "arn:aws:iam::111122223333:role/a-role-with-quite-a-long-name-indeed"',
        'sid = "AKIASHORT"',
        "Password: !Ref Password",
        "PasswordResetRequired: true",
        "SecretArn: arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop",
    ],
)
def test_ordinary_lines_are_left_alone(line: str) -> None:
    assert without_secrets(line) == line


PIECES = ["secret", "ſecret", "PASSWORD", "pwd", "toKen", "key", "=", ": ", "'", '"', "hunter22"]
PIECES += ["AKIA" + "A" * 16, "a1B2" * 10, "-----BEGIN PRIVATE KEY-----", "/", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=6))
def test_a_line_that_is_not_looked_at_closely_has_no_secret(pieces: list[str]) -> None:
    line = "".join(pieces)
    masked = line
    for pattern in _SECRETS:
        masked = pattern.sub(_masked, masked)
    assert without_secrets(line) == masked


def test_stream_is_text_whatever_is_in_it() -> None:
    stream = io.StringIO()
    stream.write(escape.json_text("\ud800"))
    stream.getvalue().encode("utf-8")


@given(st.text())
def test_json_reads_the_same_however_it_is_written(text: str) -> None:
    written = escape.json_text(json.dumps([text], ensure_ascii=False))
    assert json.loads(written) == [encodable(text)]
    assert UNSEEN.search(written) is None


def test_report_structs_are_frozen() -> None:
    with pytest.raises(AttributeError):
        model.Tool(version="1").version = "2"  # type: ignore[misc]
    assert msgspec.structs.fields(model.Report)[0].name == "version"
