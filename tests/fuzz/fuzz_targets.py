"""The fuzz targets: what is fed to which part of the scanner, and what has to hold."""

from __future__ import annotations

import contextlib
import functools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz_invariants import bounded, check_problems, check_report, check_span, check_value
from fuzz_material import anything, damaged, mangled_json, policies, trees
from hypothesis import strategies as st

from iam_preflight.cloudformation.load import TemplateOptions, load_templates
from iam_preflight.discovery import TERRAFORM_SUFFIXES, Workspace
from iam_preflight.errors import UsageError
from iam_preflight.registry import Registry, load_rules
from iam_preflight.settings import read_settings
from iam_preflight.source import SourceFile
from iam_preflight.terraform.load import TerraformOptions, load_terraform
from iam_preflight.terraform.plan import PlanReader, read_plan
from iam_preflight.testing import MemoryTree, scan_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    from iam_preflight.baseline import Known, read_baseline

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        file = Path(folder, "baseline.json")
        file.write_bytes(data)
        Known(read_baseline(file), {"."})


def _pipelines(data: bytes) -> None:
    from iam_preflight.pipelines.load import load_pipelines

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
)
BY_NAME = {target.name: target for target in TARGETS}


def run(target: Target, data: object) -> None:
    """One input of a target, within bounds."""
    with bounded():
        target.check(data)
