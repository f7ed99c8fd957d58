"""Incremental analysis: whatever is kept over edits, the answer is that of a fresh start."""

from __future__ import annotations

import gc
import random
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pygls", reason="needs the extra `lsp`")

from lsprotocol import types

from iam_preflight.editor import project as projects
from iam_preflight.editor.analysis import Cancelled
from iam_preflight.editor.buffers import Buffer
from iam_preflight.editor.judgement import Preferences
from iam_preflight.editor.positions import Lines
from iam_preflight.editor.project import Project
from iam_preflight.registry import load_rules

if TYPE_CHECKING:
    from pathlib import Path

    from iam_preflight.editor.analysis import Analysis
    from iam_preflight.findings import Finding
    from iam_preflight.registry import Registry

MAIN = """\
locals {
  buckets = jsondecode(file("${path.module}/buckets.json"))
  actions = ["s3:GetObject"]
}

# a comment
provider "aws" {
  region = "eu-west-1"
}

module "worker" {
  source  = "./worker"
  name    = "worker"
  actions = local.actions
  target  = aws_iam_role.admin.arn
}

resource "aws_iam_role" "admin" {
  name = "admin"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = module.worker.arn }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "admin" {
  role       = aws_iam_role.admin.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}

resource "aws_iam_policy" "buckets" {
  for_each = toset(local.buckets)
  name     = "read-${each.value}"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "arn:aws:s3:::${each.value}/*" }]
  })
}
"""
WORKER = """\
variable "name" {}
variable "actions" {}
variable "target" {}

resource "aws_iam_role" "this" {
  name = var.name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

data "aws_iam_policy_document" "this" {
  statement {
    actions   = var.actions
    resources = ["*"]
  }
  statement {
    actions   = ["sts:AssumeRole"]
    resources = [var.target]
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "this"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

output "arn" {
  value = aws_iam_role.this.arn
}
"""
EDITS = {
    "main.tf": (
        ('["s3:GetObject"]', '["*"]'),
        ('["*"]', '["iam:PassRole", "lambda:CreateFunction"]'),
        ('["iam:PassRole", "lambda:CreateFunction"]', '["s3:GetObject"]'),
        ("# a comment", "# a longer comment\n# 😀\n"),
        ("# a longer comment\n# 😀\n", "# a comment"),
        ("AdministratorAccess", "ReadOnlyAccess"),
        ("ReadOnlyAccess", "AdministratorAccess"),
        ("AWS = module.worker.arn", 'AWS = "*"'),
        ('AWS = "*"', "AWS = module.worker.arn"),
        ('"eu-west-1"', "local.actions[0]"),
        ("local.actions[0]", '"eu-west-1"'),
        ("for_each = toset", "for_each toset"),
        ("for_each toset", "for_each = toset"),
        ('source  = "./worker"', 'source  = "./nowhere"'),
        ('source  = "./nowhere"', 'source  = "./worker"'),
    ),
    "worker/main.tf": (
        ("lambda.amazonaws.com", "ec2.amazonaws.com"),
        ("ec2.amazonaws.com", "lambda.amazonaws.com"),
        ('["sts:AssumeRole"]', '["sts:*"]'),
        ('["sts:*"]', '["sts:AssumeRole"]'),
        ("value = aws_iam_role.this.arn", 'value = "arn:aws:iam::111122223333:root"'),
        ('value = "arn:aws:iam::111122223333:root"', "value = aws_iam_role.this.arn"),
        ('variable "target" {}', 'variable "target" {'),
        ('variable "target" {\n', 'variable "target" {}\n'),
    ),
    "buckets.json": (('"a"', '"a", "b"'), ('"a", "b"', '"*"'), ('"*"', '"a"')),
}


@pytest.fixture(scope="module")
def rules() -> Registry:
    return load_rules()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "worker").mkdir()
    (tmp_path / "main.tf").write_text(MAIN)
    (tmp_path / "worker" / "main.tf").write_text(WORKER)
    (tmp_path / "buckets.json").write_text('["a"]\n')
    return tmp_path


def told(finding: Finding) -> tuple[object, ...]:
    spans = (finding.primary.span, *(place.span for place in (*finding.related, *finding.steps)))
    places = tuple((span.path, span.start, span.end) for span in spans)
    return (finding.rule, finding.message, finding.addresses, str(finding.severity), places)


def answer(analysis: Analysis) -> tuple[list[object], list[object]]:
    findings = sorted(map(told, analysis.shown), key=str)
    problems = sorted((one.code, one.place, one.message) for one in analysis.problems)
    return list(findings), list(problems)


def fresh(folder: Path, rules: Registry, texts: dict[str, str]) -> Analysis:
    project = Project(folder, rules, Preferences())
    for path, text in texts.items():
        project.opened(path, text.encode())
    (key,) = project.keys_of("main.tf")
    return project.glance(key)


def test_edits_end_where_a_fresh_start_ends(
    folder: Path, rules: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "WORTH_A_GLANCE", 0.0)
    chance = random.Random(7)
    project = Project(folder, rules, Preferences())
    texts = {path: (folder / path).read_text() for path in EDITS}
    for path, text in texts.items():
        project.opened(path, text.encode())
    (key,) = project.keys_of("main.tf")
    project.glance(key)
    glances = 0
    for number in range(45):
        path, old, new = chance.choice(
            [(p, old, new) for p, edits in EDITS.items() for old, new in edits if old in texts[p]]
        )
        texts[path] = texts[path].replace(old, new, 1)
        project.opened(path, texts[path].encode())
        project.change({path})
        (key,) = project.keys_of("main.tf")
        glance = project.glance(key)
        glances += not glance.is_complete
        for finding in glance.shown:
            source = finding.primary.span.source
            assert source is glance.sources[source.path], "every place is in the current text"
        if number % 3 == 2:
            whole = project.complete(key)
            assert whole.is_complete
            assert answer(whole) == answer(fresh(folder, rules, texts)), (number, path, old, new)
    assert glances > 20


def test_a_glance_has_what_was_typed_and_keeps_the_rest(
    folder: Path, rules: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "WORTH_A_GLANCE", 0.0)
    project = Project(folder, rules, Preferences())
    project.opened("main.tf", MAIN.encode())
    (key,) = project.keys_of("main.tf")
    before = project.glance(key)
    texts = {"main.tf": MAIN.replace("# a comment", "# a comment that is longer 😀")}
    project.opened("main.tf", texts["main.tf"].encode())
    project.change({"main.tf"})
    glance = project.glance(key)
    assert not glance.is_complete
    assert len(glance.shown) == len(before.shown) > 0
    assert answer(glance) == answer(fresh(folder, rules, texts)), "a comment changes only places"

    texts = {"main.tf": MAIN.replace('["s3:GetObject"]', '["*"]')}
    project.opened("main.tf", texts["main.tf"].encode())
    project.change({"main.tf"})
    assert "LEAST-001" in {finding.rule for finding in project.glance(key).shown}


def test_principals_that_the_code_does_not_make_are_followed_too(
    tmp_path: Path, rules: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "WORTH_A_GLANCE", 0.0)
    text = """
resource "aws_iam_policy" "p" {
  name   = "p"
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "s3:ListBucket", Resource = "*" }]
  })
}
resource "aws_iam_role_policy_attachment" "a" {
  role       = "somebody-else"
  policy_arn = aws_iam_policy.p.arn
}
"""
    project = Project(tmp_path, rules, Preferences())
    for action in ("s3:ListBucket", "iam:*", "iam:CreatePolicyVersion", "s3:ListBucket"):
        texts = {"main.tf": text.replace("s3:ListBucket", action)}
        project.opened("main.tf", texts["main.tf"].encode())
        project.change({"main.tf"})
        (key,) = project.keys_of("main.tf")
        expected = answer(fresh(tmp_path, rules, texts))
        assert answer(project.glance(key)) == expected, action
        assert answer(project.complete(key)) == expected, action


def test_a_cancelled_analysis_loses_nothing(folder: Path, rules: Registry) -> None:
    project = Project(folder, rules, Preferences())
    project.opened("main.tf", MAIN.encode())
    (key,) = project.keys_of("main.tf")
    project.glance(key)
    text = MAIN.replace('["s3:GetObject"]', '["*"]')
    project.opened("main.tf", text.encode())
    project.change({"main.tf"})
    for patience in (1, 3, 20, 60):
        left = iter(range(patience))
        with pytest.raises(Cancelled):
            project.glance(key, lambda left=left: next(left, None) is None)  # type: ignore[misc]
    assert answer(project.glance(key)) == answer(fresh(folder, rules, {"main.tf": text}))


def test_positions_are_utf16_and_lines_end_as_in_editors() -> None:
    text = "a😀b\r\n\f é\u2028x\rlast"
    data = text.encode()
    lines = Lines(data)
    assert lines.position(data.index(b"b")) == types.Position(0, 3)
    assert lines.position(data.index("é".encode())) == types.Position(1, 2)
    assert lines.position(data.index(b"last")) == types.Position(2, 0)
    for offset in (0, 1, 5, 6, data.index(b"x"), data.index(b"last") + 2, len(data)):
        assert lines.offset(lines.position(offset)) == offset
    assert lines.offset(types.Position(0, 99)) == data.index(b"\r\n")
    assert lines.offset(types.Position(99, 0)) == len(data)


def test_changes_apply_in_their_order() -> None:
    buffer = Buffer("file:///x.tf", 1, "a😀b\nc".encode())
    place = types.Range(types.Position(0, 1), types.Position(0, 3))
    end = types.Range(types.Position(1, 1), types.Position(1, 1))
    buffer.apply(
        [
            types.TextDocumentContentChangePartial(text="é", range=place),
            types.TextDocumentContentChangePartial(text="!", range=end),
        ],
        2,
    )
    assert buffer.data.decode() == "aéb\nc!"
    assert buffer.version == 2


def test_the_nearest_settings_file_counts_and_its_faults_are_said(
    folder: Path, rules: Registry
) -> None:
    (folder / ".iam-preflight.yaml").write_text("ignore: [LEAST-003]\n")
    other = folder / "other"
    other.mkdir()
    (other / "main.tf").write_text(MAIN.replace("./worker", "../worker"))
    (other / "buckets.json").write_text("[]")
    (other / ".iam-preflight.yaml").write_text("select: [ESC]\npersona: nobody\n")
    project = Project(folder, rules, Preferences())
    (key,) = project.keys_of("main.tf")
    assert "LEAST-003" not in {finding.rule for finding in project.glance(key).shown}
    (key,) = project.keys_of("other/main.tf")
    project.glance(key)
    (problem,) = project.judgements.problems
    assert problem.path == "other/.iam-preflight.yaml"
    assert problem.span is not None
    assert problem.span.line == 2

    project.opened("other/.iam-preflight.yaml", b"select: [ESC]\n")
    project.change({"other/.iam-preflight.yaml"})
    (key,) = project.keys_of("other/main.tf")
    families = {finding.rule.partition("-")[0] for finding in project.glance(key).shown}
    assert families <= {"ESC"}
    assert not project.judgements.problems


def test_nothing_of_earlier_graphs_is_kept(
    folder: Path, rules: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "WORTH_A_GLANCE", 0.0)
    project = Project(folder, rules, Preferences())
    project.opened("main.tf", MAIN.encode())
    (key,) = project.keys_of("main.tf")
    project.glance(key)

    def edit(times: int) -> int:
        for number in range(times):
            for text in (
                MAIN.replace('["s3:GetObject"]', f'["s3:Get{"x" * (number % 5)}*"]'),
                MAIN,
            ):
                project.opened("main.tf", text.encode())
                project.change({"main.tf"})
                project.glance(key)
            project.complete(key)
        gc.collect()
        return len(gc.get_objects())

    before = edit(5)
    after = edit(15)
    assert after - before < 200 * 15, "a graph of this size has many thousands of objects"
