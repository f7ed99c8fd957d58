"""The fuzz targets: what is fed to which part of the scanner, and what has to hold."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz_grammar import (
    CANARY,
    SECRET,
    exports,
    json_exports,
    json_seeds,
    spliced_hcl,
    spliced_json,
    spliced_yaml,
)
from fuzz_invariants import bounded, check_problems, check_report, check_span, check_value
from fuzz_material import FIXTURES, anything, damaged, mangled_json, policies, trees
from hypothesis import strategies as st

from iam_preflight.account.load import load_account
from iam_preflight.baseline import Known, entries_of, read_baseline, write_baseline
from iam_preflight.cloudformation.load import TemplateOptions, load_templates
from iam_preflight.discovery import TERRAFORM_SUFFIXES, Workspace
from iam_preflight.errors import UsageError
from iam_preflight.pipelines.load import load_pipelines
from iam_preflight.registry import Registry, load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.settings_file import read_settings
from iam_preflight.source import SourceFile
from iam_preflight.terraform.load import TerraformOptions, load_terraform
from iam_preflight.terraform.plan import read_plan
from iam_preflight.terraform.plan_reader import PlanReader
from iam_preflight.testing import MemoryTree, scan_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.errors import Problem
    from iam_preflight.resources import Resource


@dataclass(frozen=True, slots=True)
class Target:
    """One part of the scanner and its input."""

    name: str
    inputs: st.SearchStrategy[object]
    check: Callable[[object], None]
    share: int = 1
    """How much of the usual number of examples it gets: slow ones get fewer."""

    def __str__(self) -> str:
        return self.name


@functools.cache
def rules() -> Registry:
    return load_rules()


def _everything(_type: str) -> bool:
    return True


def _walk(resources: Iterable[Resource]) -> None:
    for resource in resources:
        check_span(resource.span)
        check_span(resource.header)
        check_value(resource.attributes)


def _terraform(name: str) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        workspace = Workspace(MemoryTree({name: data, "t.tpl": data}))
        _walk(load_terraform(workspace, (name,), TerraformOptions(), _everything))
        check_problems(workspace.problems)

    return check


def _template(name: str) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        workspace = Workspace(MemoryTree({name: data}))
        _walk(load_templates(workspace, (name,), TemplateOptions(), _everything))
        check_problems(workspace.problems)

    return check


def _plan(data: bytes) -> None:
    workspace = Workspace(MemoryTree({"plan.json": data}))
    plan = read_plan(workspace, "plan.json")
    if plan is not None:
        _walk(PlanReader(plan).resources(_everything))
    check_problems(workspace.problems)


def _scan(name: str) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        check_report(scan_files({name: data}, rules()))

    return check


def _policy(places: tuple[object, ...]) -> None:
    """Any documents where policies belong, judged by every rule, in both languages."""
    identity, trust, resource, boundary = places
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": trust,
                    "PermissionsBoundary": {"Ref": "Boundary"},
                    "Policies": [{"PolicyName": "a", "PolicyDocument": identity}],
                },
            },
            "Boundary": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": boundary},
            },
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": resource}},
            "Guardrail": {
                "Type": "AWS::Organizations::Policy",
                "Properties": {
                    "Name": "a",
                    "Type": "SERVICE_CONTROL_POLICY",
                    "TargetIds": ["r-abcd"],
                    "Content": boundary,
                },
            },
        },
    }
    configuration = {
        "resource": {
            "aws_iam_role": {
                "r": {
                    "assume_role_policy": json.dumps(trust),
                    "permissions_boundary": "${aws_iam_policy.b.arn}",
                    "inline_policy": [{"name": "a", "policy": json.dumps(identity)}],
                }
            },
            "aws_iam_policy": {"b": {"policy": json.dumps(boundary)}},
            "aws_s3_bucket_policy": {"k": {"bucket": "b", "policy": json.dumps(resource)}},
        }
    }
    check_report(scan_files({"t.json": json.dumps(template)}, rules()), ("json",))
    check_report(scan_files({"m.tf.json": json.dumps(configuration)}, rules()), ("json",))


def _settings(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        read_settings(SourceFile(".iam-preflight.yaml", data), rules())


def _ignores(data: bytes) -> None:
    from iam_preflight.comments import ignores_in

    for name in ("a.tf", "a.yaml", "a.json"):
        for ignore in ignores_in(SourceFile(name, data)):
            check_span(ignore.place)
            if ignore.scope is not None:
                check_span(ignore.scope)
            ignore.identity()


def _baseline(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        file = Path(folder, "baseline.json")
        file.write_bytes(data)
        Known(read_baseline(file), {"."})


def _pipelines(data: bytes) -> None:
    files = {".github/workflows/a.yml": data, ".gitlab-ci.yml": data}
    workspace = Workspace(MemoryTree(files))
    _walk(load_pipelines(workspace, tuple(files)))
    check_problems(workspace.problems)


def _custom_rules(data: bytes) -> None:
    from iam_preflight.custom_rules import rules_of_file

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        file = Path(folder, "rules.yaml")
        file.write_bytes(data)
        list(rules_of_file(file))


def _report(data: bytes) -> None:
    """A report that a fork's run has left."""
    from iam_preflight.reporters import json_report

    with contextlib.suppress(json_report.ReportError):
        json_report.read(data)


def _terragrunt(data: bytes) -> None:
    tree = MemoryTree({"live/terragrunt.hcl": data, "root.hcl": data, "m/main.tf": data})
    workspace = Workspace(tree)
    paths = tuple(path for path in tree.files(".") if path.endswith(TERRAFORM_SUFFIXES))
    _walk(load_terraform(workspace, paths, TerraformOptions(), _everything))
    check_problems(workspace.problems)


def _editor(session: tuple[str, bytes, list[tuple[int, int, bytes]], int]) -> None:
    """Somebody opens a file, types, and asks about places in it."""
    from lsprotocol import types

    from iam_preflight.editor import actions
    from iam_preflight.editor.buffers import Buffer
    from iam_preflight.editor.completion import completions, wanted_at
    from iam_preflight.editor.cursor import Cursor
    from iam_preflight.editor.hover import hover
    from iam_preflight.editor.judgement import Preferences
    from iam_preflight.editor.links import links_in
    from iam_preflight.editor.pages import Pages
    from iam_preflight.editor.positions import Lines
    from iam_preflight.editor.project import Project

    name, data, edits, at = session
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder).resolve(), rules(), Preferences())
        buffer = Buffer("file:///x", 1, data)
        for number, (start, length, text) in enumerate([(0, 0, b""), *edits]):
            lines = Lines(buffer.data)
            place = types.Range(lines.position(start), lines.position(start + length))
            change = types.TextDocumentContentChangePartial(
                text=text.decode("utf-8", "replace"), range=place
            )
            buffer.apply([change], number + 2)
            project.opened(name, buffer.data)
            stale = project.change({name})
            for key in {*stale, *project.live_keys()}:
                project.glance(key)
                project.complete(key)
        lines = Lines(buffer.data)
        position = types.Position(at, at * 3)
        offset = lines.offset(position)
        assert 0 <= offset <= len(buffer.data)
        for analysis in project.analyses.values():
            check_problems(analysis.problems)
            source = analysis.sources.get(name)
            if source is not None:
                cursor = Cursor(analysis, source, offset)
                hover(cursor)
                found = actions.findings_at(analysis, name, offset, offset + 40)
                list(actions.offers(cursor, found))
        wanted = wanted_at(buffer.data[:offset].decode("utf-8", "replace"))
        if wanted is not None:
            next(completions(*wanted), None)
        list(links_in(name, buffer.data, project.tree, Pages(rules())))


# ---------------------------------------------------------------- with the grammar


def _with_secret(data: bytes) -> None:
    """A root with a module, judged by every rule; its one secret is in no report."""
    call = b'\nmodule "again" {\n  source = "./m"\n}\n'
    files = {"main.tf": data + call, "secret.tf": SECRET, "m/main.tf": data, "t.tpl": data}
    check_report(scan_files(files, rules()), never=CANARY)


def _yaml_with_secret(data: bytes) -> None:
    check_report(scan_files({"t.yaml": data}, rules()), never=CANARY)


def _account(snapshots: list[bytes]) -> None:
    """Code, and what somebody calls exports of the account that it is deployed to."""
    sources = tuple(
        SourceFile(
            f"account/{number}.{'json' if data.lstrip()[:1] == b'{' else 'csv'}",
            data,
            is_record=True,
        )
        for number, data in enumerate(snapshots)
    )
    problems: list[Problem] = []
    _walk(load_account(sources, dt.date(2027, 1, 1), 90, problems))
    check_problems(problems)
    options = ScanOptions(account_context=sources, today=dt.date(2027, 1, 1))
    report = scan_files({"main.tf": _IN_AN_ACCOUNT}, rules(), options)
    check_report(report)
    check_report(scan_files({}, rules(), options), ("json", "html"))


_IN_AN_ACCOUNT = """
provider "aws" {
  allowed_account_ids = ["111122223333"]
}
resource "aws_iam_role" "ci" {
  name = "ci"
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole",
                   Principal = { AWS = "arn:aws:iam::111122223333:role/admin" } }]
  })
}
resource "aws_iam_role_policy_attachment" "a" {
  role       = aws_iam_role.ci.name
  policy_arn = "arn:aws:iam::111122223333:policy/deploy"
}
resource "aws_iam_user_policy" "u" {
  user   = "alice"
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "iam:PassRole", Resource = "*" }]
  })
}
"""


def _root(parts: tuple[bytes, bytes, bytes, bytes]) -> None:
    """A root module whose values, installed modules and JSON are anything."""
    code, values, json_values, manifest = parts
    files = {
        "main.tf": code,
        "secret.tf": SECRET,
        "terraform.tfvars": values,
        "terraform.tfvars.json": json_values,
        "a.auto.tfvars": values,
        ".terraform/modules/modules.json": manifest,
        "modules/a/main.tf": code,
    }
    workspace = Workspace(MemoryTree(files))
    _walk(load_terraform(workspace, ("main.tf", "secret.tf"), TerraformOptions(), _everything))
    check_problems(workspace.problems)
    check_report(scan_files(files, rules()), ("json", "text"), never=CANARY)


_MANIFESTS = tuple(
    json.dumps({"Modules": [{"Key": "", "Source": "", "Dir": "."}, *modules]}).encode()
    for modules in (
        [{"Key": "a", "Source": "registry.terraform.io/x/a/aws", "Dir": "modules/a"}],
        [{"Key": "a", "Dir": "."}, {"Key": "a.a", "Dir": "../.."}, {"Key": "b", "Dir": "/etc"}],
        [{"Key": "a.b", "Dir": ".terraform/modules/a/./b\\c"}, {"Key": "iam", "Dir": "modules/a"}],
    )
)


def _pipelines_judged(data: bytes) -> None:
    """Workflows beside a role that trusts them."""
    trust = (FIXTURES / "rules/FED-007/terraform/bad_workflows/main.tf").read_bytes()
    files = {"main.tf": trust, ".github/workflows/a.yml": data, ".gitlab-ci.yml": data}
    workspace = Workspace(MemoryTree(files))
    _walk(load_pipelines(workspace, tuple(files)))
    check_problems(workspace.problems)
    check_report(scan_files(files, rules()))


def _known(data: bytes) -> None:
    """A baseline that is used."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        file = Path(folder, "baseline.json")
        file.write_bytes(data)
        entries = read_baseline(file)
        report = scan_files({"main.tf": _IN_AN_ACCOUNT}, rules(), ScanOptions(baseline=entries))
        check_report(report, ("json", "text"))
        known = Known(entries, {"."})
        for one in report.findings:
            known.take(one.finding)


@functools.cache
def _baselines() -> tuple[bytes, ...]:
    entries = entries_of(
        one.finding for one in scan_files({"main.tf": _IN_AN_ACCOUNT}, rules()).findings
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "baseline.json")
        write_baseline(file, entries)
        return (file.read_bytes(),)


def _lsp(bodies: list[bytes]) -> None:
    from fuzz_lsp import converse

    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder).resolve() / "a" / "b" / "c"
        (top / ".git").mkdir(parents=True)
        for answer in converse(bodies, top, rules()):
            for place in _ranges_in(answer):
                assert 0 <= place["line"] < 2**31, place
                assert 0 <= place["character"] < 2**31, place


def _ranges_in(value: object) -> Iterator[dict[str, int]]:
    if isinstance(value, dict):
        if value.keys() == {"line", "character"}:
            yield value
        for item in value.values():
            yield from _ranges_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _ranges_in(item)


def _messages() -> st.SearchStrategy[list[bytes]]:
    from fuzz_lsp import messages

    return messages()


_snapshots = st.deferred(
    lambda: st.lists(
        st.one_of(
            spliced_json(json_exports()),
            spliced_json(json_exports()),
            st.sampled_from(exports()),
            damaged("credential-report.csv"),
            anything("credential-report.csv", "authorization-details.json", "findings.json"),
        ),
        min_size=1,
        max_size=4,
    )
)

_edits = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 80), anything(".tf", ".yaml")), max_size=3
)
_sessions = st.one_of(
    st.tuples(st.just("main.tf"), damaged(".tf"), _edits, st.integers(0, 80)),
    st.tuples(st.just("t.yaml"), damaged(".yaml"), _edits, st.integers(0, 80)),
)
_json_trees = trees.map(lambda tree: json.dumps(tree).encode())

_HCL = (".tf", ".hcl", ".tofu")
_YAML = (".yaml", ".yml", ".template")

TARGETS = (
    Target("hcl", anything(*_HCL), _terraform("main.tf"), share=2),
    Target(
        "tf.json",
        st.one_of(mangled_json(".tf.json", ".json"), anything(".tf.json", ".json"), _json_trees),
        _terraform("main.tf.json"),
    ),
    Target("terragrunt", anything("terragrunt.hcl", ".tf"), _terragrunt),
    Target("template-yaml", anything(*_YAML), _template("t.yaml"), share=2),
    Target(
        "template-json",
        st.one_of(mangled_json(".json", ".template"), anything(".json"), _json_trees),
        _template("t.json"),
    ),
    Target("plan", st.one_of(mangled_json("plan.json"), anything("plan.json"), _json_trees), _plan),
    Target("policy", st.tuples(policies, policies, policies, policies), _policy),
    Target("scan-hcl", damaged(*_HCL), _scan("main.tf")),
    Target("scan-yaml", damaged(*_YAML), _scan("t.yaml")),
    Target("settings", anything(".iam-preflight.yaml"), _settings),
    Target("ignores", anything(".tf", ".yaml", ".json"), _ignores),
    Target("baseline", st.one_of(anything(".json"), _json_trees), _baseline),
    Target("pipelines", anything(".yml"), _pipelines),
    Target("custom-rules", anything("custom.yaml", "rules.yaml"), _custom_rules),
    Target("report", st.one_of(mangled_json(".json"), _json_trees), _report),
    Target("editor", _sessions, _editor),
    Target("splice-hcl", spliced_hcl(".tf"), _with_secret, share=2),
    Target(
        "splice-yaml", spliced_yaml(".yaml", ".yml", has_secret=True), _yaml_with_secret, share=2
    ),
    Target("account", _snapshots, _account, share=2),
    Target(
        "root",
        st.tuples(
            spliced_hcl(".tf"),
            spliced_hcl(".tfvars"),
            st.deferred(lambda: spliced_json(json_seeds(".tfvars.json", "plan.json", ".json"))),
            st.one_of(spliced_json(_MANIFESTS), damaged(".json")),
        ),
        _root,
    ),
    Target(
        "workflows",
        spliced_yaml("deploy.yml", "plan.yml", "test.yml", "check.yml"),
        _pipelines_judged,
    ),
    Target("known", st.deferred(lambda: spliced_json(_baselines())), _known),
    Target("lsp", st.deferred(_messages), _lsp),
)
BY_NAME = {target.name: target for target in TARGETS}


def run(target: Target, data: object) -> None:
    """One input of a target, within bounds."""
    with bounded():
        target.check(data)
