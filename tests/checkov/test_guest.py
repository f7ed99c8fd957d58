"""What an examination makes of a graph, without checkov: its vertices are written by hand."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from iam_preflight.guest.examination import Examination, Request, examine
from iam_preflight.guest.vertices import BlockName

OPEN = """\
resource "aws_iam_role" "open" {
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = "*", Action = "sts:AssumeRole" }]
  })
}
"""
RULE = "SEG-007"


def vertex(file: Path, name: str, lines: tuple[int, int] = (0, 0), **more: Any) -> dict[str, Any]:
    """As checkov has it; the kind of block is told by the name."""
    first, last = lines
    return {
        "block_type_": "resource",
        "block_name_": name,
        "__address__": name,
        "file_path_": str(file),
        "__start_line__": first,
        "__end_line__": last,
        **more,
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "main.tf").write_text(OPEN)
    return tmp_path


def placed(examination: Examination, rule: str = RULE) -> list[str]:
    return [str(one.attributes["block_name_"]) for one in examination.found.get(rule, ())]


def test_finding_is_at_its_instance(project: Path) -> None:
    main = project / "main.tf"
    main.write_text(OPEN.replace("assume", 'for_each = toset(["a.b", "c"])\n  assume', 1))
    names = ['aws_iam_role.open["a.b"]', 'aws_iam_role.open["c"]']
    graph = [vertex(main, name) for name in (*names, "aws_iam_role.other")]
    examination = examine(graph, Request())
    assert (placed(examination), examination.failures) == (names, ())


def test_finding_is_at_the_block_where_it_is_not_unfolded(project: Path) -> None:
    main = project / "main.tf"
    main.write_text(OPEN.replace("assume", "count = 2\n  assume", 1))
    assert placed(examine([vertex(main, "aws_iam_role.open")], Request())) == ["aws_iam_role.open"]


def test_finding_in_a_module_that_is_not_loaded_is_at_its_call(project: Path) -> None:
    main, module = project / "main.tf", project / ".terraform" / "modules" / "m"
    main.write_text('module "m" {\n  source = "./.terraform/modules/m"\n}\n')
    module.mkdir(parents=True)
    (module / "main.tf").write_text(OPEN)
    graph = [vertex(main, name, block_type_="module") for name in ("m", "n")]
    assert placed(examine(graph, Request())) == ["m"]


def test_finding_of_what_has_no_record_is_at_what_it_is_about(project: Path) -> None:
    main = project / "main.tf"
    main.write_text(
        'resource "aws_iam_user" "u" {\n  name = "u"\n}\n'
        'resource "aws_iam_access_key" "k" {\n  user = aws_iam_user.u.name\n}\n'
        'output "secret" {\n  value = nonsensitive(aws_iam_access_key.k.secret)\n}\n'
    )
    graph = [
        vertex(main, "aws_iam_user.u", (1, 3)),
        vertex(main, "aws_iam_access_key.k", (4, 6)),
        vertex(main, "secret", (7, 9), block_type_="output"),
    ]
    examination = examine(graph, Request())
    assert (placed(examination, "CRED-004"), examination.failures) == (["aws_iam_access_key.k"], ())


def test_finding_without_a_vertex_is_a_failure(project: Path) -> None:
    main = project / "main.tf"
    (project / "more.tf").write_text(OPEN.replace("open", "unseen"))
    examination = examine([vertex(main, "aws_iam_role.open", (1, 5))], Request())
    assert placed(examination) == ["aws_iam_role.open"]
    (failure,) = [one for one in examination.failures if one.rule == RULE]
    assert failure.message.startswith("SEG-007 at more.tf:")


def test_finding_in_a_file_that_is_left_out_is_none(project: Path) -> None:
    main, more = project / "main.tf", project / "more.tf"
    more.write_text(OPEN.replace("open", "unseen"))
    request = Request(is_left_out=lambda path: Path(path).name == "more.tf")
    examination = examine([vertex(main, "aws_iam_role.open", (1, 5))], request)
    assert (placed(examination), examination.failures) == (["aws_iam_role.open"], ())


def test_resources_of_a_plan_are_found_beside_its_sources(project: Path) -> None:
    source = Path(__file__).parents[2] / "fixtures" / "projects" / "planned"
    address = 'module.role["worker"].aws_iam_role.this'
    plan = source / "plan.json"
    examination = examine([vertex(plan, "aws_iam_role.this", __address__=address)], Request())
    assert placed(examination, "EXT-004") == ["aws_iam_role.this"]


def test_role_that_sam_makes_is_at_its_function(project: Path) -> None:
    template = Path(__file__).with_name("estate") / "stack" / "template.yaml"
    lines = template.read_text().splitlines()
    first = lines.index("  Job:") + 1
    graph = [
        vertex(template, "AWS::IAM::Role.Deployer", (5, 22)),
        # checkov counts from the line below the logical id
        vertex(template, "AWS::Serverless::Function.Job", (first + 1, len(lines))),
    ]
    assert placed(examine(graph, Request()), "ESC-001") == ["AWS::Serverless::Function.Job"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (".iam-preflight.yaml", "persona: nobody\n", "persona"),
        ("main.tf", OPEN + "resource {{{\n", "main.tf:"),
    ],
)
def test_what_cannot_be_judged_is_a_failure(
    project: Path, name: str, text: str, reason: str
) -> None:
    (project / name).write_text(text)
    graph = [vertex(project / "main.tf", "aws_iam_role.open")]
    (failure,) = examine(graph, Request(folders=(str(project),))).failures
    assert reason in failure.message
    assert failure.is_total == (name != "main.tf")


def test_values_come_from_the_files_that_are_given(project: Path) -> None:
    main, values = project / "main.tf", project / "prod.tfvars"
    main.write_text('variable "who" {}\n' + OPEN.replace('"*"', "{ AWS = var.who }"))
    values.write_text('who = "*"\n')
    graph = [vertex(main, "aws_iam_role.open")]
    assert placed(examine(graph, Request())) == []
    assert placed(examine(graph, Request(variable_files=(str(values),)))) == ["aws_iam_role.open"]


def test_nothing_is_said_of_an_empty_graph() -> None:
    examination = examine([], Request())
    assert (examination.found, examination.failures) == ({}, ())
    assert examination.vertices.anchor() is None


def test_anchor_is_what_checkov_makes_records_of(project: Path) -> None:
    main, other = project / "main.tf", project / "other.tf"
    graph = [
        vertex(main, "v", block_type_="variable"),
        vertex(main, "m", block_type_="module"),
        vertex(other, "aws_iam_role.a"),
    ]
    vertices = examine(graph, Request()).vertices
    anchors = [vertices.anchor(), vertices.anchor("main.tf")]
    assert [one.attributes["block_name_"] for one in anchors if one] == ["aws_iam_role.a", "m"]


def test_block_name_falls_apart_between_names_only_and_survives_a_copy() -> None:
    name = pickle.loads(pickle.dumps(BlockName('aws_iam_role.open["a.b"]')))
    assert name == 'aws_iam_role.open["a.b"]'
    assert name.split(".") == ["aws_iam_role", 'open["a.b"]']
    assert BlockName("AWS::IAM::Role.Open").split(".") == ["AWS::IAM::Role", "Open"]
