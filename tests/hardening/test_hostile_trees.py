"""What a hostile tree may hold: the scan ends, says what it did not read, and stays inside."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from iam_preflight import discovery
from iam_preflight.cli import cli
from iam_preflight.discovery import find_root
from iam_preflight.errors import ProblemKind
from iam_preflight.registry import load_rules
from iam_preflight.scan import Report, ScanOptions, scan
from iam_preflight.settings import find_settings
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = 'resource "aws_iam_user" "a" {\n  name = "x"\n}\n'
NO_RULES = load_rules().select(("TAG-001",), ())


def scanned(folder: Path) -> Report:
    return scan([folder], NO_RULES, ScanOptions(), folder)


def told(report: Report) -> list[tuple[str, str]]:
    return [(problem.code, problem.message) for problem in report.problems]


def text(name: str, content: str | bytes) -> Report:
    return scan_files({name: content}, NO_RULES)


# ---------------------------------------------------------------- files that are none


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "main.tf")
    os.mkfifo(tmp_path / ".iam-preflight.yaml")
    assert told(scanned(tmp_path)) == [("SCAN-900", "cannot be read: not a regular file")]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "main.tf").symlink_to("/dev/zero")
    assert [code for code, _ in told(scanned(tmp_path))] == ["SCAN-900"]
    with pytest.raises(OSError, match="not a regular file"):
        discovery.read_regular(Path("/dev/zero"))


def test_a_folder_named_like_a_file_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "main.tf").mkdir()
    (tmp_path / "main.tf" / "real.tf").write_text(USER)
    report = scanned(tmp_path)
    assert told(report) == []
    assert [resource.address for resource in report.graph.resources] == ["aws_iam_user.a"]


def test_links_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "a" / "main.tf").write_text(USER)
    (tmp_path / "b.tf").symlink_to("b.tf")
    report = scanned(tmp_path)
    assert [code for code, _ in told(report)] == ["SCAN-900"]
    assert len(report.graph.resources) == 1


def test_a_file_too_large_is_named_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MAX_FILE_BYTES", 2**20)
    (tmp_path / "main.tf").write_bytes(b"#" * 2**20 + b"\n")
    assert told(scanned(tmp_path)) == [("SCAN-900", "cannot be read: larger than 1 MB")]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(USER)
    (tmp_path / "main.tf").chmod(0)
    try:
        assert told(scanned(tmp_path)) == [("SCAN-900", "cannot be read: Permission denied")]
    finally:
        (tmp_path / "main.tf").chmod(stat.S_IRWXU)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_no_reader_waits_for_a_pipe(tmp_path: Path) -> None:
    names = ["terragrunt.hcl", "t.yaml", "p.json", "a.tf.json", "x.tofu", ".gitlab-ci.yml"]
    names += ["terraform.tfvars", "t.tpl", ".terraform/modules/modules.json"]
    names += [".github/workflows/a.yml"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(tmp_path / name)
    rendered = 'templatefile("t.tpl", {})'
    (tmp_path / "main.tf").write_text(USER.replace('"x"', rendered))
    report = scanned(tmp_path)
    assert {message for _, message in told(report)} == {"cannot be read: not a regular file"}
    assert [resource.address for resource in report.graph.resources] == ["aws_iam_user.a"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_settings_and_baselines_name_no_pipes(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(USER)
    os.mkfifo(tmp_path / "baseline.json")
    arguments = ["scan", str(tmp_path), "--baseline", str(tmp_path / "baseline.json")]
    result = CliRunner().invoke(cli, arguments)
    assert "baseline.json: cannot be read: not a regular file" in str(result.exception)
    os.mkfifo(tmp_path / "account.json")
    (tmp_path / ".iam-preflight.yaml").write_text("account_context: [account.json]\n")
    result = CliRunner().invoke(cli, ["scan", str(tmp_path)])
    assert "account_context: neither a file nor a folder" in str(result.exception)


@pytest.fixture
def deepest(tmp_path: Path) -> Iterator[Path]:
    """A folder as deep as a path is long, removed from below: `shutil.rmtree` cannot."""
    folder = tmp_path
    for _ in range(1500):
        folder /= "a"
        folder.mkdir()
    yield folder
    for file in folder.iterdir():
        file.unlink()
    while folder != tmp_path:
        folder.rmdir()
        folder = folder.parent


def test_folders_may_be_as_deep_as_a_path_is_long(tmp_path: Path, deepest: Path) -> None:
    (deepest / "main.tf").write_text(USER)
    report = scanned(tmp_path)
    assert told(report) == []
    assert len(report.graph.resources) == 1


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "main.tf").write_text(USER)
    listed = os.scandir

    def refusing(path: str | Path) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    report = scanned(tmp_path)
    assert [(one.code, one.path) for one in report.problems] == [("SCAN-900", "closed")]
    assert len(report.graph.resources) == 1


def test_names_that_no_disk_takes_are_names_of_nothing(tmp_path: Path) -> None:
    long = "a" * 5000
    calls = [f'file("{long}")', f'fileset("{long}", "*")', 'file("a\\u0000b")']
    users = [USER.replace('"a"', f'"u{n}"').replace('"x"', call) for n, call in enumerate(calls)]
    module = f'module "m" {{\n  source = "./{long}"\n}}\nmodule "i" {{\n  source = "x/y/z"\n}}\n'
    (tmp_path / "main.tf").write_text("".join([*users, module]))
    manifest = tmp_path / ".terraform" / "modules" / "modules.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"Modules": [{"Key": "i", "Source": "x/y/z", "Dir": "a\\ud800b"}]}')
    report = scanned(tmp_path)
    assert {code for code, _ in told(report)} == {"SCAN-903"}
    assert len(report.graph.resources) == len(users)


# ---------------------------------------------------------------- ways out of the root

SECRET = "canary-outside-of-the-root"
CALLS = """
locals {
  read      = file("../outside.txt")
  linked    = file("linked.txt")
  absolute  = file("/OUTSIDE/outside.txt")
  rendered  = templatefile("../outside.txt", {})
  through   = file("folder/outside.txt")
  listed    = join(",", fileset("..", "*"))
  there     = fileexists("../outside.txt")
}
resource "aws_iam_user" "a" {
  for_each = {
    a = local.read, b = local.linked, c = local.absolute
    d = local.rendered, e = local.through, f = local.listed, g = local.there
  }
  name = each.value
}
module "above" {
  source = "../module"
}
module "linked" {
  source = "./linked-module"
}
module "installed" {
  source = "example/x/aws"
}
"""
MANIFEST = (
    '{"Modules": [{"Key": "installed", "Source": "example/x/aws",'
    ' "Dir": "../../../module"}, {"Key": "other", "Dir": "/etc"}]}'
)
NESTED = """
Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: ../nested.yaml}
  Linked:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: linked.yaml}
  User:
    Type: AWS::IAM::User
    Properties:
      Fn::Transform: {Name: AWS::Include, Parameters: {Location: ../include.yaml}}
"""


def test_nothing_outside_of_the_root_is_read(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / ".terraform" / "modules").mkdir(parents=True)
    (tmp_path / "module").mkdir()
    (tmp_path / "outside.txt").write_text(SECRET)
    named = USER.replace('"x"', f'"{SECRET}"')
    (tmp_path / "module" / "main.tf").write_text(named)
    (tmp_path / "nested.yaml").write_text(
        f"Resources:\n  U:\n    Type: AWS::IAM::User\n    Properties: {{UserName: {SECRET}}}\n"
    )
    (tmp_path / "include.yaml").write_text(f"UserName: {SECRET}\n")
    (top / "linked.txt").symlink_to(tmp_path / "outside.txt")
    (top / "linked.yaml").symlink_to(tmp_path / "nested.yaml")
    (top / "linked.tf").symlink_to(tmp_path / "module" / "main.tf")
    (top / "folder").symlink_to(tmp_path)
    (top / "linked-module").symlink_to(tmp_path / "module")
    (top / "terraform.tfvars").symlink_to(tmp_path / "outside.txt")
    (top / ".terraform" / "modules" / "modules.json").write_text(MANIFEST)
    (top / "main.tf").write_text(CALLS.replace("/OUTSIDE", str(tmp_path)))
    (top / "template.yaml").write_text(NESTED)
    report = scanned(top)
    from iam_preflight.values import show

    shown = [show(resource.attributes) for resource in report.graph.resources]
    assert len(shown) >= 2
    assert SECRET not in "".join(shown)
    assert SECRET not in "".join(message for _, message in told(report))
    assert any("lies outside" in message for _, message in told(report))


# ---------------------------------------------------------------- the top of a repository


def folders(tmp_path: Path) -> tuple[Path, Path]:
    top = tmp_path / "repository"
    inner = top / "infra" / "live"
    inner.mkdir(parents=True)
    (top / ".git").mkdir()
    return top, inner


def test_what_a_repository_holds_cannot_move_its_top(tmp_path: Path) -> None:
    top, inner = folders(tmp_path)
    (top / "infra" / ".hg").mkdir()
    (inner / ".git").write_text("gitdir: ../../.git/modules/live\n")
    (inner / ".iam-preflight.yaml").write_text("")
    (inner / "LICENSE").write_text("")
    assert find_root([inner]) == top


def test_a_worktree_is_a_repository_of_its_own(tmp_path: Path) -> None:
    top, inner = folders(tmp_path)
    held = top / ".git" / "worktrees" / "live"
    held.mkdir(parents=True)
    (inner / ".git").write_text(f"gitdir: {held}\n")
    assert find_root([inner]) == top
    (held / "gitdir").write_text(f"{inner / '.git'}\n")
    assert find_root([inner]) == inner


def test_a_submodule_by_itself_has_a_top(tmp_path: Path) -> None:
    inner = tmp_path / "mounted" / "infra"
    inner.mkdir(parents=True)
    (tmp_path / "mounted" / ".git").write_text("gitdir: ../somewhere/else\n")
    assert find_root([inner]) == tmp_path / "mounted"


# ---------------------------------------------------------------- text


def test_broken_json_is_called_json() -> None:
    broken = '{"Resources": {"A": {"Type": "AWS::IAM::Role",, }}}'
    ((code, message),) = told(text("t.json", broken))
    assert (code, message) == ("SCAN-901", "not JSON: expected a key in double quotes")


def test_a_named_file_that_is_no_json_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": ')
    report = scan([tmp_path / "x.json"], NO_RULES, ScanOptions(), tmp_path)
    assert told(report) == [("SCAN-901", "not JSON: the JSON text ends too early")]
    assert str(report.problems[0].span) == "x.json:1:7"


@pytest.mark.parametrize("name", ["main.tf", "main.tf.json", "t.yaml"])
@pytest.mark.parametrize("data", [b"\xff\xfer\0e\0", b"\x80\x81", b"\0" * 40, b"\xef\xbb\xbf"])
def test_what_is_no_text_is_no_crash(name: str, data: bytes) -> None:
    for problem in text(name, data).problems:
        assert problem.kind in (ProblemKind.SYNTAX, ProblemKind.UNREADABLE)


NUMBERS = ("1e999999", "-10e999999999999999999", "1e-99999999", "7" * 400, "7" * 5_000)
PLANNED = """{"format_version": "1.2", "planned_values": {"root_module": {"resources": [
  {"address": "aws_iam_role.a", "mode": "managed", "type": "aws_iam_role", "name": "a", "values":
    {"name": "a", "max_session_duration": %s, "assume_role_policy": "{\\"Version\\": %s}"}}
]}}, "resource_changes": [], "configuration": {"root_module": {}}}"""
TAKEN_FOR_NUMBERS = {
    "main.tf.json": '{"resource": {"aws_iam_role": {"a":'
    ' {"name": %s, "max_session_duration": %s}}}}',
    "main.tf": 'resource "aws_iam_role" "a" {\n  name = jsondecode("%s")\n'
    "  max_session_duration = %s\n  assume_role_policy = jsonencode({ Statement = [{"
    ' Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = "*" } }] })\n}\n',
    "t.yaml": "Resources:\n  A:\n    Type: AWS::IAM::Role\n    Properties:\n"
    "      RoleName: %s\n      MaxSessionDuration: %s\n",
    "t.json": '{"Resources": {"A": {"Type": "AWS::IAM::Role", "Properties":'
    ' {"RoleName": {"Fn::Join": ["", ["a", %s]]}, "MaxSessionDuration": %s}}}}',
    "plan.json": PLANNED,
}


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
@pytest.mark.parametrize("name", TAKEN_FOR_NUMBERS)
def test_numbers_too_large_to_write_out_are_not_written_out(name: str, number: str) -> None:
    report = scan_files({name: TAKEN_FOR_NUMBERS[name] % (number, number)}, load_rules())
    kinds = {problem.kind for problem in report.problems}
    assert kinds <= {ProblemKind.SYNTAX, ProblemKind.UNREADABLE, ProblemKind.EVALUATION}
    assert all(len(problem.message) < 200 for problem in report.problems)


def test_a_plan_that_is_no_text_is_named() -> None:
    plan = b'{"format_version": "1.2", "terraform_version": "\x80", "resource_changes": []}'
    ((code, message),) = told(text("plan.json", plan))
    assert code == "SCAN-900"
    assert message.startswith("not a plan that can be read")


def test_places_are_right_behind_a_byte_order_mark() -> None:
    data = '{"resource": {"aws_iam_user": {"a": {"name": "é"}}}}'
    (user,) = text("main.tf.json", b"\xef\xbb\xbf" + data.encode()).graph.resources
    name = user.get("name")
    assert name is not None
    assert name.span.text == '"é"'


WORKFLOW = """
on: push
permissions: {id-token: write}
jobs:
  deploy:
    steps:
      - uses: aws-actions/configure-aws-credentials@v4
        with: {role-to-assume: "arn:aws:iam::111122223333:role/ci"}
"""


@pytest.mark.parametrize(
    ("more", "kind"),
    [("a: [", ProblemKind.SYNTAX), (f"a: [{'a,' * 250_000}]", ProblemKind.LIMIT)],
)
def test_a_workflow_that_cannot_be_read_is_not_passed_over(more: str, kind: ProblemKind) -> None:
    path = ".github/workflows/deploy.yml"
    for name in (path, ".gitlab-ci.yml"):
        marked = WORKFLOW if name == path else "id_tokens: {}\n"
        report = scan_files({"main.tf": USER, name: marked + more}, NO_RULES)
        (problem,) = report.problems
        assert (problem.kind, problem.path) == (kind, name)
        assert problem.span is not None
    assert not scan_files({"main.tf": USER, path: more}, NO_RULES).problems


def test_resources_of_another_shape_are_told() -> None:
    resources = "[{Type: AWS::IAM::Role}]"
    (problem,) = text("t.yaml", f"AWSTemplateFormatVersion: x\nResources: {resources}\n").problems
    assert (problem.code, problem.message) == ("SCAN-901", "Resources is not a mapping")
    assert problem.span is not None
    assert problem.span.text == resources
    yet_to_be_written = "AWSTemplateFormatVersion: x\nResources:\n"
    assert not text("t.yaml", yet_to_be_written).problems


def test_the_name_of_no_rule_is_told_in_short() -> None:
    hostile = f"# iam-preflight: ignore[{'A' * 100_000}] because\n"
    ((code, message),) = told(text("main.tf", hostile + USER))
    assert code == "SCAN-904"
    assert len(message) < 100


@pytest.mark.parametrize("after", ["}\n", "\0\n", "# \0\n", '"x"\n', "}}]\n"])
def test_what_stands_behind_a_block_does_not_cost_it(after: str) -> None:
    report = text("main.tf", USER + after + USER.replace('"a"', '"b"'))
    named = [resource.text("name") for resource in report.graph.resources]
    assert named == ["x", "x"]
    (problem,) = report.problems
    assert problem.kind is ProblemKind.SYNTAX
    assert str(problem.span).startswith("main.tf:4:")


# ---------------------------------------------------------------- more of it than anybody writes


@pytest.mark.parametrize(
    "broken",
    ["/*" * 200_000, "".join(f"a{n} = <<E{n}\n" for n in range(10_000))],
    ids=["comments", "heredocs"],
)
def test_broken_text_is_gone_through_once(broken: str) -> None:
    """Each of so many openings was looked for to the end of the file."""
    report = text("main.tf", f"{USER}locals {{\n{broken}\n}}\n")
    assert [resource.address for resource in report.graph.resources] == ["aws_iam_user.a"]
    assert {problem.kind for problem in report.problems} == {ProblemKind.SYNTAX}


def test_modules_that_multiply_come_to_an_end() -> None:
    def calls(to: int) -> str:
        body = f'source = "../m{to}"\n  count  = 10'
        return "".join(f'module "c{number}" {{\n  {body}\n}}\n' for number in range(10))

    files = {f"m{level}/main.tf": calls(level + 1) for level in range(8)}
    report = scan_files({**files, "m8/main.tf": USER, "other/main.tf": USER}, NO_RULES)
    assert ProblemKind.LIMIT in {problem.kind for problem in report.problems}
    roots = {resource.deployment.path for resource in report.graph.resources}
    assert "other" in roots


@pytest.mark.parametrize("name", ["main.tf", "t.yaml"])
def test_many_ignores_in_a_row_are_each_about_what_follows(name: str) -> None:
    template = "Resources:\n  A:\n    Type: AWS::IAM::User\n"
    ignores = "# iam-preflight: ignore[TAG-001] because\n" * 5_000
    code = ignores + USER if name == "main.tf" else template.replace("  A", f"{ignores}  A")
    report = text(name, code)
    assert len(report.graph.resources) == 1
    assert not [problem for problem in report.problems if "nothing follows" in problem.message]
    assert not [*report.shown]


READS = [f'read_terragrunt_config("terragrunt.hcl").locals.a{n}' for n in range(10)]


@pytest.mark.parametrize(
    "itself",
    [
        "".join(f'include "i{n}" {{\n  path = "./terragrunt.hcl"\n}}\n' for n in range(10)),
        "locals {\n"
        + "".join(f"  a{n} = [{', '.join(READS)}]\n" for n in range(10))
        + "}\ninputs = { a = local.a0 }\n",
    ],
    ids=["include", "read"],
)
def test_units_that_read_themselves_come_to_an_end(itself: str) -> None:
    unit = itself + 'terraform {\n  source = "./m"\n}\n'
    report = scan_files({"terragrunt.hcl": unit, "m/main.tf": USER}, NO_RULES)
    assert {problem.kind for problem in report.problems} == {ProblemKind.LIMIT}
    assert len(report.graph.resources) == 1


def doubling(first: str, step: str, count: int = 60) -> str:
    lines = [f"a0 = {first}"]
    lines += [f"a{i} = {step.replace('@', f'local.a{i - 1}')}" for i in range(1, count)]
    body = "\n  ".join(lines)
    return f"locals {{\n  {body}\n}}\n" + USER.replace('"x"', f"local.a{count - 1}")


DOUBLING = {
    "text": ('"xxxxxxxxxx"', '"${@}${@}"'),
    "holes": ("var.a", '"${@}${@}"'),
    "alternatives": ('var.a ? "x" : "y"', '"${@}${@}"'),
    "format": ("var.a", 'format("%s-%s", @, @)'),
    "join": ('"x"', 'join("-", [@, @])'),
    "replace": ('"x"', 'replace(@, "x", "xx")'),
    "tuple": ('["x"]', "concat(@, @)"),
    "nested": ('["x"]', "[@, @]"),
    "object": ("{}", "{ a = @, b = @ }"),
    "merge": ('{ a = "x" }', 'merge(@, { for k, v in @ : "${k}${k}" => @ })'),
    "escapes": ('"\\""', "jsonencode(@)"),
    "encoding": ('"x"', 'base64encode("${@}${@}")'),
    "loop": ('["x", "y"]', "flatten([for x in @ : [x, x]])"),
    "product": ('["x", "y"]', '[for x in setproduct(@, @) : join("", x)]'),
    "conditional": ("var.a", '@ == "x" ? "${@}1" : "${@}2"'),
    "template": ('"%{ for x in [1, 2] }y%{ endfor }"', '"%{ for x in [1, 2] }${@}%{ endfor }"'),
    "yaml": ('["x"]', "yamldecode(yamlencode([@, @]))"),
}


@pytest.mark.parametrize("kind", DOUBLING)
def test_what_doubles_itself_comes_to_an_end(kind: str) -> None:
    report = text("main.tf", 'variable "a" {}\n' + doubling(*DOUBLING[kind]))
    assert [resource.address for resource in report.graph.resources] == ["aws_iam_user.a"]
    assert report.seconds < 60


def test_too_much_is_said_with_its_place() -> None:
    (problem,) = text("main.tf", doubling(*DOUBLING["text"])).problems
    assert problem.kind is ProblemKind.LIMIT
    assert str(problem.span).startswith("main.tf:18:")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("main.tf", f"locals {{\n  a = {'[' * 50_000}{']' * 50_000}\n}}\n"),
        ("main.tf", f"locals {{\n  a = {'(' * 50_000}1{')' * 50_000}\n}}\n{USER}"),
        ("main.tf", f"locals {{\n  a = {'-' * 50_000}1\n}}\n{USER}"),
        ("main.tf", f"locals {{\n  a = {'1 + ' * 50_000}1\n}}\n{USER}"),
        ("main.tf", f"locals {{\n  a = b{'.c' * 50_000}\n}}\n{USER}"),
        ("main.tf", f"locals {{\n  a = {'f(' * 50_000}{')' * 50_000}\n}}\n{USER}"),
        ("main.tf", f"locals {{\n  a = {'true ? 1 : ' * 20_000}1\n}}\n{USER}"),
        ("main.tf", 'locals {\n  a = "' + '${"' * 5_000 + '"}' * 5_000 + f'"\n}}\n{USER}'),
        ("main.tf", f"{'a {' * 20_000}\n{'}' * 20_000}\n"),
        ("main.tf.json", '{"locals": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}"),
        ("t.yaml", "AWSTemplateFormatVersion: x\nResources: " + "[" * 50_000 + "]" * 50_000),
        ("t.yaml", "AWSTemplateFormatVersion: x\nResources: " + "{a: " * 9_000 + "}" * 9_000),
        ("t.json", '{"Resources": {"A": {"Type": "AWS::IAM::Role", "Properties": ' + "[" * 99_999),
    ],
    ids=[
        *("tuples", "parentheses", "minus", "plus", "attributes", "calls", "conditionals"),
        *("templates", "blocks", "json", "yaml-lists", "yaml-maps", "json-lists"),
    ],
)
def test_deep_nesting_is_bounded(name: str, content: str) -> None:
    report = text(name, content)
    for problem in report.problems:
        assert problem.span is None or problem.span.end <= len(content.encode())
    assert report.seconds < 30


def test_aliases_do_not_multiply() -> None:
    lines = ["x0: &x0 [a, a, a, a, a, a, a, a, a]"]
    lines += [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]" for i in range(1, 12)]
    head = 'AWSTemplateFormatVersion: "2010-09-09"\n'
    tail = "\nResources:\n  U:\n    Type: AWS::IAM::User\n    Properties: {UserName: *x11}\n"
    (problem,) = text("t.yaml", head + "\n".join(lines) + tail).problems
    assert problem.kind is ProblemKind.LIMIT


@pytest.mark.parametrize(
    "call",
    [
        *("range(1000000)", "range(0, 1000000, 1)", "range(1, 2, 0)", "range(0, -1000000, -1)"),
        *("[for x in range(300) : [for y in range(300) : x]]", 'format("%999999999d", 1)'),
        *("setproduct(range(1000), range(1000), range(1000))", "chunklist(range(1000), 0)"),
        *('substr("x", 0, 99999999999)', "pow(10, pow(10, 10))", "1e999999999", "1 / 1e-999999"),
        *('cidrsubnets("10.0.0.0/8", [for i in range(1000) : 20]...)', 'cidrhost("::/0", -1)'),
        *('regexall("(a*)*b", join("", [for i in range(1000) : "a"]))', 'indent(1e8, "a\\nb")'),
        *('replace("aaaa", "/(a|a)*$/", "b")', 'base64gzip("x")', 'parseint("z", 99)'),
    ],
)  # fmt: skip
def test_calls_that_ask_for_too_much_are_holes(call: str) -> None:
    user = USER.replace("x", "${try(local.a, 1)}")
    report = text("main.tf", f"locals {{\n  a = {call}\n}}\n{user}")
    assert len(report.graph.resources) == 1
    assert report.seconds < 20


CYCLES = """
locals {
  a = local.b
  b = [local.a]
}
variable "v" { default = var.v }
module "one" {
  source = "./one"
  x      = module.two.x
}
module "two" {
  source = "./one"
  x      = module.one.x
}
provider "aws" {
  region              = aws_iam_user.a.name
  allowed_account_ids = [aws_iam_user.a.arn]
  assume_role { role_arn = local.b[0] }
  default_tags { tags = aws_iam_user.a.tags_all }
}
data "aws_iam_policy_document" "p" {
  source_policy_documents = [data.aws_iam_policy_document.q.json]
}
data "aws_iam_policy_document" "q" {
  source_policy_documents   = [data.aws_iam_policy_document.p.json]
  override_policy_documents = [data.aws_iam_policy_document.q.json]
}
resource "aws_iam_user" "a" {
  for_each = aws_iam_user.a
  name     = aws_iam_user.a.name
  tags     = aws_iam_user.a.tags_all
}
resource "aws_iam_user_policy" "p" {
  user   = aws_iam_user.a.name
  policy = data.aws_iam_policy_document.p.json
}
"""


def test_circles_end() -> None:
    one = 'variable "x" {}\noutput "x" { value = var.x }\nmodule "again" { source = "../one" }\n'
    files = {"main.tf": CYCLES, "one/main.tf": one}
    report = scan_files(files, load_rules())
    assert {problem.kind for problem in report.problems} <= {
        ProblemKind.UNRESOLVED_MODULE,
        ProblemKind.EVALUATION,
    }
    template = """
Conditions:
  A: !Condition B
  B: !Not [!Condition A]
Resources:
  One: {Type: AWS::IAM::User, Condition: A, Properties: {UserName: !Ref Two}}
  Two: {Type: AWS::IAM::User, Properties: {UserName: !GetAtt One.Arn, Groups: !Ref Two}}
  Me: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: t.yaml}}
"""
    report = scan_files({"t.yaml": template}, load_rules())
    assert ProblemKind.RULE_CRASH not in {problem.kind for problem in report.problems}


# ---------------------------------------------------------------- what is written and configured


@pytest.mark.parametrize(
    "arguments",
    [["scan", "-f", "json", "-o"], ["baseline", "write", "--force", "-o"], ["graph", "-o"]],
)
def test_nothing_is_written_through_a_link(tmp_path: Path, arguments: list[str]) -> None:
    """The repository holds a link where the pipeline writes its report."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "main.tf").write_text(USER)
    out = repository / ".iam-preflight-report.json"
    out.symlink_to(victim)
    result = CliRunner().invoke(cli, [*arguments, str(out), str(repository)])
    assert "it is a link" in str(result.exception)
    assert victim.read_text() == "precious"


def test_settings_that_link_out_of_the_root_are_not_found(tmp_path: Path) -> None:
    (tmp_path / "lenient.yaml").write_text("fail_on: critical\n")
    repository = tmp_path / "repository"
    repository.mkdir()
    link = repository / ".iam-preflight.yaml"
    link.symlink_to(tmp_path / "lenient.yaml")
    assert find_settings(repository, repository) is None
    link.unlink()
    link.write_text("fail_on: critical\n")
    assert find_settings(repository, repository) == link
