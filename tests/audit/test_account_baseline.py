"""Where the rules about audit services may speak, and how sure they are."""

from __future__ import annotations

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

DETECTOR = 'resource "aws_guardduty_detector" "this" {}\n'
HUB = 'resource "aws_securityhub_account" "this" {}\n'
ORGANIZATION = 'resource "aws_organizations_organization" "this" {}\n'
TRAIL = """
resource "aws_cloudtrail" "t" {
  name                  = "t"
  s3_bucket_name        = "elsewhere"
  is_multi_region_trail = %s
}
"""
NO_TRAIL = "no CloudTrail trail records this baseline's accounts"


def said(files, rule="AUDIT-001", **settings):
    files = {"main.tf": files} if isinstance(files, str) else files
    options = ScanOptions(settings=Settings(persona="auditor", **settings))
    report = scan_files(files, load_rules().select([rule], ()), options)
    return [(finding.message, str(finding.confidence)) for finding in report.shown]


def test_two_audit_services_in_one_root_are_a_baseline():
    assert said(DETECTOR + HUB) == [(NO_TRAIL, "medium")]


@pytest.mark.parametrize(
    "code",
    [
        DETECTOR,
        ORGANIZATION,
        'resource "aws_iam_account_password_policy" "this" {}\n',
        TRAIL % "true",
        TRAIL % "false" + DETECTOR,
        'resource "aws_iam_role" "r" {}\n',
    ],
)
def test_one_service_alone_is_no_baseline(code):
    assert said(code) == []


def test_services_of_different_roots_are_no_baseline():
    assert said({"a/main.tf": DETECTOR, "b/main.tf": HUB}) == []


def test_the_organization_and_any_service_are_a_baseline_wherever_they_stand():
    assert said({"org/main.tf": ORGANIZATION, "b/main.tf": HUB}) == [(NO_TRAIL, "medium")]


def test_a_trail_in_any_root_counts():
    assert said({"a/main.tf": DETECTOR + HUB, "b/main.tf": TRAIL % "true"}) == []


def test_settings_declare_the_scope():
    role = 'resource "aws_iam_role" "r" {}\n'
    assert said(role, baseline=True) == [(NO_TRAIL, "high")]
    assert said(DETECTOR + HUB, baseline=False) == []


def test_settings_name_what_another_repository_provides():
    assert said(DETECTOR + HUB, external_controls=("cloudtrail",)) == []


def test_control_tower_brings_its_own():
    zone = 'resource "aws_controltower_landing_zone" "this" {}\n'
    assert said(DETECTOR + HUB + zone) == []


def test_a_module_that_is_not_here_may_bring_the_control():
    module = 'module "%s" {\n  source = "example.com/%s/aws"\n}\n'
    assert said(DETECTOR + HUB + module % ("logs", "cloudtrail")) == [(NO_TRAIL, "low")]
    assert said(DETECTOR + HUB + module % ("queue", "sqs")) == [(NO_TRAIL, "medium")]


def test_an_unknown_switch_is_no_proof():
    unknown = 'variable "all" {}\n' + TRAIL % "var.all"
    assert said(unknown + DETECTOR) == []


def test_an_event_store_records_too():
    store = 'resource "aws_cloudtrail_event_data_store" "all" {\n  name = "all"\n}\n'
    assert said(DETECTOR + HUB + store) == []


def test_the_organization_needs_its_own_trail_or_a_delegated_one():
    code = ORGANIZATION + TRAIL % "true"
    assert [message for message, _ in said(code)] == [
        "trail t records its own account, not the organization"
    ]
    delegated = """
    resource "aws_cloudtrail_organization_delegated_admin_account" "audit" {
      account_id = "111122223333"
    }
    """
    assert said(code + delegated) == []


# ---- regions


def test_allowed_regions_each_need_a_detector():
    code = 'provider "aws" {\n  region = "eu-west-1"\n}\n' + DETECTOR + HUB
    assert said(code, "AUDIT-003", allowed_regions=("eu-west-1",)) == []
    assert said(code, "AUDIT-003", allowed_regions=("eu-west-1", "eu-central-1")) == [
        ("GuardDuty does not watch eu-central-1, where things may be deployed", "high")
    ]


# ---- routes and alarms

FILTER = """
resource "aws_cloudwatch_log_metric_filter" "root" {
  name           = "root"
  log_group_name = "trail"
  pattern        = "{ $.userIdentity.type = Root }"
  metric_transformation {
    name      = "RootUse"
    namespace = "Audit"
    value     = "1"
  }
}
"""
ALARM = """
resource "aws_cloudwatch_metric_alarm" "root" {
  alarm_name          = "root"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  metric_name         = "%s"
  namespace           = "Audit"
  alarm_actions       = %s
}
"""
TOPIC = '["arn:aws:sns:eu-west-1:111122223333:security"]'


def test_a_chain_of_filter_alarm_and_action_is_a_route():
    code = DETECTOR + TRAIL % "true" + FILTER + ALARM % ("RootUse", TOPIC)
    messages = [message for message, _ in said(code, "AUDIT-006")]
    assert len(messages) == 1
    assert messages[0].startswith("no alarm tells of policy changes, console sign-in")


def test_an_alarm_may_take_the_metric_from_the_filter():
    reference = "${aws_cloudwatch_log_metric_filter.root.id}"
    assert not any(
        "no alarm is on" in text for text, _ in said(FILTER + ALARM % (reference, TOPIC))
    )


@pytest.mark.parametrize(
    ("alarm", "why"),
    [
        ("", "no alarm is on its metric"),
        (ALARM % ("Other", TOPIC), "no alarm is on its metric"),
        (ALARM % ("RootUse", "[]"), "its alarm tells nobody"),
    ],
)
def test_a_broken_chain_is_told_wherever_it_stands(alarm, why):
    assert [message for message, _ in said(FILTER + alarm, "AUDIT-006")] == [
        f"a metric filter counts use of the root user, but {why}"
    ]


def test_a_composite_alarm_may_tell_for_others():
    composite = """
    resource "aws_cloudwatch_composite_alarm" "any" {
      alarm_name    = "any"
      alarm_rule    = "ALARM(root)"
      alarm_actions = ["arn:aws:sns:eu-west-1:111122223333:security"]
    }
    """
    assert said(FILTER + ALARM % ("RootUse", "[]") + composite, "AUDIT-006") == []


@pytest.mark.parametrize(
    "state", ["is_enabled = false", 'state = "DISABLED"', ""], ids=["off", "disabled", "no target"]
)
def test_a_rule_that_is_off_or_has_no_target_is_no_route(state):
    rule = """
    resource "aws_cloudwatch_event_rule" "r" {
      name          = "r"
      event_pattern = jsonencode({ source = ["aws.guardduty"] })
      %s
    }
    """
    target = """
    resource "aws_cloudwatch_event_target" "t" {
      rule = aws_cloudwatch_event_rule.r.name
      arn  = "arn:aws:sqs:eu-west-1:111122223333:siem"
    }
    """
    base = DETECTOR + TRAIL % "true"
    assert said(base + rule % "" + target, "AUDIT-006") == []
    assert said(base + rule % state + (target if state else ""), "AUDIT-006") != []


def test_a_subscription_of_the_log_group_is_a_route():
    code = """
    resource "aws_cloudwatch_log_group" "trail" {
      name = "/audit/trail"
    }
    resource "aws_cloudtrail" "t" {
      name                       = "t"
      s3_bucket_name             = "elsewhere"
      is_multi_region_trail      = true
      cloud_watch_logs_group_arn = "${aws_cloudwatch_log_group.trail.arn}:*"
    }
    resource "aws_cloudwatch_log_subscription_filter" "siem" {
      name            = "siem"
      log_group_name  = %s
      filter_pattern  = ""
      destination_arn = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/siem"
    }
    """
    assert said(DETECTOR + code % "aws_cloudwatch_log_group.trail.name", "AUDIT-006") == []
    assert said(DETECTOR + code % '"/audit/trail"', "AUDIT-006") == []
    assert said(DETECTOR + code % '"/application"', "AUDIT-006") != []


# ---- who can undo it


def test_principals_that_have_it_from_one_statement_are_one_finding():
    role = """
    data "aws_iam_policy_document" "dev" {
      statement {
        actions   = ["guardduty:DeleteDetector"]
        resources = ["*"]
      }
    }
    resource "aws_iam_role" "dev" {
      for_each           = toset(["a", "b", "c"])
      name               = each.key
      assume_role_policy = "{}"
    }
    resource "aws_iam_role_policy" "dev" {
      for_each = aws_iam_role.dev
      role     = each.value.name
      policy   = data.aws_iam_policy_document.dev.json
    }
    """
    assert [message for message, _ in said(role, "AUDIT-007")] == [
        "role a and 2 others can undo the audit trail with guardduty:DeleteDetector"
    ]


def role_with(actions, extra=""):
    return f"""
    resource "aws_iam_role" "r" {{
      name               = "security"
      assume_role_policy = "{{}}"
    }}
    resource "aws_iam_role_policy" "r" {{
      role   = aws_iam_role.r.name
      policy = jsonencode({{
        Version   = "2012-10-17"
        Statement = [{{ Effect = "Allow", Action = {actions}, Resource = "*" {extra} }}]
      }})
    }}
    """


ATTACHED = """
    resource "aws_iam_role" "r" {
      name               = "operator"
      assume_role_policy = "{}"
    }
    resource "aws_iam_role_policy_attachment" "r" {
      role       = aws_iam_role.r.name
      policy_arn = "arn:aws:iam::aws:policy/AWSCloudTrail_FullAccess"
    }
"""


@pytest.mark.parametrize(
    ("code", "edit"),
    [
        (role_with('"cloudtrail:StopLogging"'), "remove cloudtrail:StopLogging"),
        (
            role_with('"cloudtrail:Stop*"'),
            "list what is needed of cloudtrail:Stop* without cloudtrail:StopLogging",
        ),
        (
            ATTACHED,
            "attach a policy without cloudtrail:StopLogging instead of AWSCloudTrail_FullAccess",
        ),
    ],
)
def test_the_edit_is_one_of_what_gives_the_action(code, edit):
    (found,) = scan_files({"main.tf": code}, load_rules().select(["AUDIT-007"], ())).shown
    assert found.hint == f"{edit}, and deny it in a service control policy"


def test_security_administrators_may():
    role = role_with('"cloudtrail:StopLogging"')
    assert said(role, "AUDIT-007") != []
    assert said(role, "AUDIT-007", security_admins=("security",)) == []


def test_a_region_makes_it_milder_and_a_tag_silences_it():
    role = role_with(
        '"guardduty:DeleteDetector"',
        ', Condition = { StringEquals = { "aws:RequestedRegion" = "eu-west-1" } }',
    )
    options = ScanOptions(settings=Settings(persona="auditor"))
    report = scan_files({"main.tf": role}, load_rules().select(["AUDIT-007"], ()), options)
    assert [str(finding.severity) for finding in report.shown] == ["medium"]
    tagged = role_with(
        '"guardduty:DeleteDetector"',
        ', Condition = { StringEquals = { "aws:ResourceTag/team" = "app" } }',
    )
    assert said(tagged, "AUDIT-007") == []


def test_a_bucket_of_another_account_is_out_of_reach():
    code = """
    provider "aws" {
      allowed_account_ids = ["111122223333"]
    }
    provider "aws" {
      alias               = "archive"
      allowed_account_ids = ["444455556666"]
    }
    resource "aws_s3_bucket" "trail" {
      provider = %s
      bucket   = "trail"
    }
    resource "aws_cloudtrail" "t" {
      name           = "t"
      s3_bucket_name = aws_s3_bucket.trail.id
    }
    """
    role = role_with('"s3:DeleteObject"')
    assert said(code % "aws.archive" + role, "AUDIT-007") == []
    assert said(code % "aws" + role, "AUDIT-007") != []
