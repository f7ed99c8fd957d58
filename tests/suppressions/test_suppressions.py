"""Ignores in the code: where they may stand, what they need, and what becomes of bad ones."""

from __future__ import annotations

import datetime as dt
import textwrap

import pytest

from iam_preflight.decisions import Outcome
from iam_preflight.registry import load_rules
from iam_preflight.scan import Report, ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.source import Span
from iam_preflight.testing import MemoryTree, scan_files

RULES = load_rules()
ONLY_TRUST = RULES.select(["SEG-007"], [])
TODAY = dt.date(2026, 6, 1)
IGNORE = "iam-preflight: ignore[SEG-007]"


def scanned(files: dict[str, str], **options: object) -> Report:
    given = {"today": TODAY, **options}
    return scan_files(files, RULES, ScanOptions(**given))  # type: ignore[arg-type]


def outcomes(report: Report, rule: str = "SEG-007") -> list[tuple[str, Outcome]]:
    return [
        (address, decided.outcome)
        for decided in report.findings
        if decided.finding.rule == rule
        for address in decided.finding.addresses
    ]


def problems(report: Report) -> list[str]:
    return [f"{problem.place}: {problem.message}" for problem in report.problems]


SHOWN, SUPPRESSED = Outcome.SHOWN, Outcome.SUPPRESSED

HCL = """\
# {top}
resource "aws_iam_role" "open" {{ # {header}
  # {attribute}
  assume_role_policy = jsonencode({{ # {same_line}
    Statement = [
      # {statement}
      {{
        Effect    = "Allow"
        # {element}
        Principal = "*" # {trailing}
        Action    = "sts:AssumeRole" # {sibling}
      }} # {closing}
    ]
  }})
  # {after}
}}
"""
PLACES = (
    *("top", "header", "attribute", "same_line", "statement"),
    *("element", "trailing", "sibling", "closing", "after"),
)


def hcl(**comments: str) -> dict[str, str]:
    return {"main.tf": HCL.format(**{place: comments.get(place, "-") for place in PLACES})}


@pytest.mark.parametrize(
    "place", ["top", "header", "attribute", "same_line", "statement", "element", "trailing"]
)
def test_counts_at_the_element_around_it_and_above_it(place: str) -> None:
    report = scanned(hcl(**{place: f"{IGNORE} known"}))
    assert outcomes(report) == [("aws_iam_role.open", SUPPRESSED)]
    assert problems(report) == []


@pytest.mark.parametrize("place", ["sibling", "closing", "after"])
def test_does_not_count_beside_it_and_is_said_to_be_unused(place: str) -> None:
    report = scanned(hcl(**{place: f"{IGNORE} known"}))
    assert outcomes(report) == [("aws_iam_role.open", SHOWN)]
    assert len(problems(report)) == 1
    assert "finds nothing here" in problems(report)[0] or "nothing follows" in problems(report)[0]


@pytest.mark.parametrize("style", ["# {}", "// {}", "/* {} */", "/*\n {}\n*/"])
def test_every_comment_style_of_hcl_counts(style: str) -> None:
    comment = style.format(f"{IGNORE} because")
    report = scanned({"main.tf": f"{comment}\n" + hcl()["main.tf"]})
    assert outcomes(report) == [("aws_iam_role.open", SUPPRESSED)]
    assert [d.reason for d in report.findings if d.outcome is SUPPRESSED] == ["because"]


def test_text_that_looks_like_a_comment_is_none() -> None:
    text = f"""\
resource "aws_iam_role" "open" {{
  description        = "# {IGNORE} in a string"
  assume_role_policy = <<-EOT
    {{ "Statement": [
      {{ "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole",
         "Sid": "# {IGNORE} in a heredoc" }} ] }}
    EOT
}}
"""
    report = scanned({"main.tf": text})
    assert outcomes(report) == [("aws_iam_role.open", SHOWN)]
    assert problems(report) == []


def test_covers_json_inside_a_heredoc_from_above_its_attribute() -> None:
    text = f"""\
resource "aws_iam_role" "open" {{
  # {IGNORE} the partner has no fixed account
  assume_role_policy = <<-EOT
    {{ "Statement": [{{ "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" }}] }}
    EOT
}}
"""
    assert outcomes(scanned({"main.tf": text})) == [("aws_iam_role.open", SUPPRESSED)]


def test_covers_a_policy_in_another_file_from_above_the_resource() -> None:
    files = {
        "trust.json": '{"Statement": [{"Effect": "Allow", "Principal": "*",'
        ' "Action": "sts:AssumeRole"}]}',
        "main.tf": f'# {IGNORE} known\nresource "aws_iam_role" "open" {{\n'
        '  assume_role_policy = file("trust.json")\n}\n',
    }
    assert outcomes(scanned(files)) == [("aws_iam_role.open", SUPPRESSED)]


def test_covers_a_statement_of_a_policy_document_block() -> None:
    text = f"""\
data "aws_iam_policy_document" "trust" {{
  # {IGNORE} known
  statement {{
    actions = ["sts:AssumeRole"]
    principals {{
      type        = "AWS"
      identifiers = ["*"]
    }}
  }}
}}
resource "aws_iam_role" "open" {{
  assume_role_policy = data.aws_iam_policy_document.trust.json
}}
"""
    assert outcomes(scanned({"main.tf": text})) == [("aws_iam_role.open", SUPPRESSED)]


MODULE = {"role/main.tf": hcl()["main.tf"]}


def test_at_a_module_call_hides_that_instance_only() -> None:
    files = {
        **MODULE,
        "main.tf": f"""\
# {IGNORE} the sandbox is empty
module "sandbox" {{
  source = "./role"
}}
module "prod" {{
  source = "./role"
}}
""",
    }
    assert sorted(outcomes(scanned(files))) == [
        ("module.prod.aws_iam_role.open", SHOWN),
        ("module.sandbox.aws_iam_role.open", SUPPRESSED),
    ]


def test_in_a_module_hides_every_instance() -> None:
    files = {
        "role/main.tf": hcl(trailing=f"{IGNORE} known")["main.tf"],
        "main.tf": 'module "a" {\n  source = "./role"\n}\nmodule "b" {\n  source = "./role"\n}\n',
    }
    assert sorted(outcomes(scanned(files))) == [
        ("module.a.aws_iam_role.open", SUPPRESSED),
        ("module.b.aws_iam_role.open", SUPPRESSED),
    ]


def test_on_a_block_with_for_each_hides_every_instance() -> None:
    text = hcl(top=f"{IGNORE} known")["main.tf"].replace(
        "assume_role_policy", 'for_each           = toset(["a", "b"])\n  assume_role_policy', 1
    )
    assert sorted(outcomes(scanned({"main.tf": text}))) == [
        ('aws_iam_role.open["a"]', SUPPRESSED),
        ('aws_iam_role.open["b"]', SUPPRESSED),
    ]


YAML = """\
{template}Resources:
  # {resource}
  Open:
    Type: AWS::IAM::Role
{metadata}    Properties:
      AssumeRolePolicyDocument: # {attribute}
        Statement:
          # {statement}
          - Effect: Allow
            # {element}
            Principal: "*" # {trailing}
            Action: sts:AssumeRole
"""


def yaml(**parts: str) -> dict[str, str]:
    names = ("resource", "attribute", "statement", "element", "trailing")
    comments = {name: parts.get(name, "-") for name in names}
    metadata = {name: parts.get(name, "") for name in ("template", "metadata")}
    return {"stack.yaml": YAML.format(**comments, **metadata)}


@pytest.mark.parametrize("place", ["resource", "attribute", "statement", "element", "trailing"])
def test_yaml_comments_count_as_those_of_hcl_do(place: str) -> None:
    report = scanned(yaml(**{place: f"{IGNORE} known"}))
    assert outcomes(report) == [("Open", SUPPRESSED)]
    assert problems(report) == []


ENTRY = "iam-preflight:\n  ignore:\n    - rule: SEG-007\n      reason: known\n"


@pytest.mark.parametrize(
    "metadata",
    [
        ENTRY,
        ENTRY + "      until: 2027-01-01\n",
        "iam-preflight:\n  ignore:\n    - rule: [SEG-007, ROLE-003]\n      reason: known\n",
        "iam-preflight: {ignore: {rule: SEG-007, reason: known}}\n",
        "checkov:\n  skip:\n    - id: CKV_IAMP_SEG_007\n      comment: known\n",
    ],
)
def test_metadata_of_a_resource_counts(metadata: str) -> None:
    indented = "    Metadata:\n" + textwrap.indent(metadata, " " * 6)
    assert outcomes(scanned(yaml(metadata=indented))) == [("Open", SUPPRESSED)]


def test_metadata_of_the_template_counts_for_all_of_it() -> None:
    template = "Metadata:\n" + textwrap.indent(ENTRY, "  ")
    assert outcomes(scanned(yaml(template=template))) == [("Open", SUPPRESSED)]


def test_yaml_text_that_looks_like_a_comment_is_none() -> None:
    text = yaml()["stack.yaml"] + f"      Description: |\n        # {IGNORE} no\n        text\n"
    report = scanned({"stack.yaml": text})
    assert outcomes(report) == [("Open", SHOWN)]
    assert problems(report) == []


JSON = """\
{"Resources": {"Open": {"Type": "AWS::IAM::Role", %s "Properties": {"AssumeRolePolicyDocument":
  {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}}}}}
"""


def test_metadata_counts_in_a_json_template() -> None:
    ignore = '{"ignore": [{"rule": "SEG-007", "reason": "known", "until": "2027-01-01"}]}'
    text = JSON % f'"Metadata": {{"iam-preflight": {ignore}}},'
    assert outcomes(scanned({"stack.json": text})) == [("Open", SUPPRESSED)]
    assert outcomes(scanned({"stack.json": JSON % ""})) == [("Open", SHOWN)]


def test_comment_keys_count_in_terraform_json() -> None:
    text = """{"resource": {"aws_iam_role": {"open": {
      "//": "iam-preflight: ignore[SEG-007] known",
      "assume_role_policy": "{\\"Statement\\": [{\\"Effect\\": \\"Allow\\", \\"Principal\\": \\"*\\", \\"Action\\": \\"sts:AssumeRole\\"}]}"
    }}}}"""  # noqa: E501
    assert outcomes(scanned({"main.tf.json": text})) == [("aws_iam_role.open", SUPPRESSED)]


# ---------------------------------------------------------------- checkov's form


@pytest.mark.parametrize("check", ["CKV_IAMP_SEG_007", "SEG-007"])
@pytest.mark.parametrize("place", ["attribute", "after", "sibling", "top"])
def test_checkov_skip_anywhere_in_the_block_counts(check: str, place: str) -> None:
    report = scanned(hcl(**{place: f"checkov:skip={check}:known"}))
    assert outcomes(report) == [("aws_iam_role.open", SUPPRESSED)]


def test_checkov_skip_of_somebody_elses_check_is_left_alone() -> None:
    report = scanned(hcl(attribute="checkov:skip=CKV_AWS_60:known"))
    assert outcomes(report) == [("aws_iam_role.open", SHOWN)]
    assert problems(report) == []


def test_checkov_skip_counts_in_yaml() -> None:
    report = scanned(yaml(trailing="checkov:skip=CKV_IAMP_SEG_007:known"))
    assert outcomes(report) == [("Open", SUPPRESSED)]


# ---------------------------------------------------------------- what an ignore needs


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("iam-preflight: ignore[SEG-007]", "it gives no reason"),
        ("iam-preflight: ignore[SEG-007] until=2027-01-01", "it gives no reason"),
        ("iam-preflight: ignore known", "name the rule"),
        ("iam-preflight: ignore[] known", "name the rule"),
        ("iam-preflight: ignore[SEG-070] known", "there is no rule 'SEG-070' (did you mean"),
        ("iam-preflight: ignore[SEG] known", "there is no rule 'SEG'"),
        ("iam-preflight: ignore[SEG-007] known until=2026-05-31", "expired on 2026-05-31"),
        ("iam-preflight: ignore[SEG-007] known until=soon", "until=soon is not a date"),
        ("checkov:skip=CKV_IAMP_SEG_007", "it gives no reason"),
    ],
)
def test_bad_ignore_hides_nothing_and_is_said_without_failing(comment: str, message: str) -> None:
    report = scanned(hcl(trailing=comment))
    assert outcomes(report) == [("aws_iam_role.open", SHOWN)]
    assert any(message in one for one in problems(report)), problems(report)
    assert not any(problem.fails_the_scan for problem in report.problems)
    assert {problem.code for problem in report.problems} == {"SCAN-904"}


def test_until_counts_on_its_last_day() -> None:
    report = scanned(hcl(trailing=f"{IGNORE} known until=2026-06-01"))
    assert outcomes(report) == [("aws_iam_role.open", SUPPRESSED)]
    assert [d.until for d in report.findings if d.ignore] == [TODAY]


def test_several_rules_in_one_ignore_are_judged_one_by_one() -> None:
    report = scanned(hcl(top="iam-preflight: ignore[SEG-007, ROLE-003] known"))
    assert outcomes(report) == [("aws_iam_role.open", SUPPRESSED)]
    assert problems(report) == ["main.tf:1:1: ignore: ROLE-003 finds nothing here: remove it"]


def test_rule_may_be_called_by_its_name() -> None:
    report = scanned(hcl(top="iam-preflight: ignore[role-assumable-by-anyone] known"))
    assert outcomes(report) == [("aws_iam_role.open", SUPPRESSED)]


@pytest.mark.parametrize("locked", ["SEG-007", "SEG", "role-assumable-by-anyone"])
def test_locked_rule_cannot_be_ignored(locked: str) -> None:
    files = hcl(top=f"{IGNORE} known")
    report = scanned(files, settings=Settings(locked=(locked,)))
    assert outcomes(report) == [("aws_iam_role.open", SHOWN)]
    assert problems(report) == [
        "main.tf:1:1: ignore: SEG-007 is locked in the settings: no comment can ignore it"
    ]


def test_unused_is_not_said_when_only_some_rules_run() -> None:
    files = hcl(top="iam-preflight: ignore[ROLE-003] known")
    some = scan_files(files, ONLY_TRUST, ScanOptions(today=TODAY))
    assert problems(some) == []
    assert problems(scanned(files)) != []


def test_markers_of_fixtures_are_no_ignores() -> None:
    assert problems(scanned(hcl(element="iam-preflight: expect[SEG-007]"))) == []


# ---------------------------------------------------------------- a change cannot exempt itself


def base(**comments: str) -> dict[str, object]:
    return {"base": MemoryTree(hcl(**comments)), "base_name": "main"}


def test_counts_when_the_base_has_it_too() -> None:
    files = {"main.tf": "\n\n" + hcl(top=f"{IGNORE} known")["main.tf"]}
    report = scanned(files, **base(top=f"{IGNORE} known"))
    assert outcomes(report) == [("aws_iam_role.open", SUPPRESSED)]


@pytest.mark.parametrize(
    "comments",
    [
        {},
        {"top": f"{IGNORE} another reason"},
        {"top": f"{IGNORE} known until=2026-06-02"},
        {"sibling": f"{IGNORE} known"},
        {"top": "iam-preflight: ignore[ROLE-003] known"},
    ],
)
def test_does_not_count_when_the_base_has_none_or_another(comments: dict[str, str]) -> None:
    report = scanned(hcl(top=f"{IGNORE} known"), **base(**comments))
    assert outcomes(report) == [("aws_iam_role.open", SHOWN)]
    assert any("not in main" in one for one in problems(report))


def test_one_of_the_base_does_not_count_for_two_copies() -> None:
    copy = hcl(top=f"{IGNORE} known")["main.tf"]
    report = scanned({"main.tf": copy + copy}, **base(top=f"{IGNORE} known"))
    assert sum("not in main" in one for one in problems(report)) == 1


def test_one_of_the_base_does_not_count_for_another_resource() -> None:
    other = hcl(top=f"{IGNORE} known")["main.tf"].replace('"open"', '"other"')
    report = scanned({"main.tf": other}, **base(top=f"{IGNORE} known"))
    assert outcomes(report) == [("aws_iam_role.other", SHOWN)]


def test_element_of_the_base_may_not_be_widened_under_its_ignore() -> None:
    wider = hcl(trailing=f"{IGNORE} known")["main.tf"].replace('"*" #', '{ AWS = "*" } #')
    report = scanned({"main.tf": wider}, **base(trailing=f"{IGNORE} known"))
    assert SHOWN in dict(outcomes(report)).values()


def test_many_ignores_in_one_file_are_not_asked_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 200
    asked = 0
    contains = Span.contains

    def counted(self: Span, other: Span) -> bool:
        nonlocal asked
        asked += 1
        return contains(self, other)

    monkeypatch.setattr(Span, "contains", counted)
    one = hcl(top=f"{IGNORE} known")["main.tf"]
    text = "\n".join(one.replace('"open"', f'"open_{number}"') for number in range(count))
    report = scanned({"main.tf": text})
    assert [outcome for _, outcome in outcomes(report)] == [SUPPRESSED] * count
    assert asked <= 10 * count


def test_of_two_that_cover_a_finding_the_first_is_used_and_the_other_said_to_be_unused() -> None:
    report = scanned(hcl(top=f"{IGNORE} the whole role", element=f"{IGNORE} this"))
    assert outcomes(report) == [("aws_iam_role.open", SUPPRESSED)]
    assert problems(report) == ["main.tf:9:9: ignore: SEG-007 finds nothing here: remove it"]
