"""CloudWatch filter patterns and EventBridge patterns, on sample records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_preflight.graph.event_patterns import catches
from iam_preflight.graph.filter_patterns import counts

SIGN_IN = {
    "eventName": "ConsoleLogin",
    "eventSource": "signin.amazonaws.com",
    "userIdentity": {"type": "IAMUser", "sessionContext": {}},
    "additionalEventData": {"MFAUsed": "No"},
    "sourceIPAddress": "198.51.100.7",
    "errorCode": None,
    "readOnly": False,
    "latency": 250,
    "resources": [{"type": "AWS::IAM::Role"}],
}


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "{ $.eventName = ConsoleLogin }",
        '{ $.eventName = "ConsoleLogin" }',
        "{ $.eventName = Console* }",
        "{ $.eventName = *sole*gin }",
        "{ $.eventName != CreateUser }",
        "{ $.missing != CreateUser }",
        '{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") }',
        "{ ($.eventName = X) || (($.eventName = ConsoleLogin) && ($.latency >= 250)) }",
        "{ $.latency > 249.5 }",
        "{ $.userIdentity.invokedBy NOT EXISTS }",
        "{ $.userIdentity.type EXISTS }",
        "{ $.errorCode IS NULL }",
        "{ $.readOnly IS FALSE }",
        "{ $.resources[0].type = AWS::IAM::* }",
        '{ $.["eventName"] = ConsoleLogin }',
        "{ $.sourceIPAddress = 198.51.* }",
        "ConsoleLogin IAMUser",
        "?CreateUser ?ConsoleLogin",
        '"signin.amazonaws.com" -Root',
    ],
)
def test_a_pattern_counts_a_record(pattern):
    assert counts(pattern, SIGN_IN) is True


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.eventName = consolelogin }",
        "{ $.eventName = Console }",
        "{ $.missing = ConsoleLogin }",
        '{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed = "Yes") }',
        "{ $.latency < 250 }",
        "{ $.eventName > 3 }",
        "{ $.readOnly IS TRUE }",
        "{ $.userIdentity.type NOT EXISTS }",
        "{ $.resources[1].type = AWS::IAM::Role }",
        "ConsoleLogin Root",
        "ConsoleLogin -IAMUser",
        "?CreateUser ?DeleteUser",
    ],
)
def test_a_pattern_does_not_count_a_record(pattern):
    assert counts(pattern, SIGN_IN) is False


@pytest.mark.parametrize(
    "pattern",
    ["{ $.eventName = }", "{ eventName = X }", "{ $.a = b", "[ip, user]", "{ $.a ~ b }", "{}"],
)
def test_a_pattern_that_cannot_be_read_says_so(pattern):
    assert counts(pattern, SIGN_IN) is None


def test_precedence_is_and_before_or():
    assert counts("{ $.eventName = X && $.latency = 250 || $.readOnly IS FALSE }", SIGN_IN)
    assert not counts("{ $.eventName = X && ($.latency = 250 || $.readOnly IS FALSE) }", SIGN_IN)


@given(st.text(alphabet='{}()$.=!<>&|*%?-" abAB01[]', max_size=60))
def test_no_text_breaks_the_reader(pattern):
    assert counts(pattern, SIGN_IN) in (True, False, None)


def test_nesting_is_bounded():
    assert counts("{" + "(" * 2000 + "$.a = b" + ")" * 2000 + "}", SIGN_IN) is None


# ---- EventBridge

FINDING = {
    "source": "aws.guardduty",
    "detail-type": "GuardDuty Finding",
    "detail": {"severity": 8, "type": "Recon:IAMUser", "tags": ["a", "b"], "ip": "10.0.0.7"},
}


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"source": ["aws.guardduty"]},
        {"source": ["aws.securityhub", "aws.guardduty"]},
        {"source": [{"prefix": "aws."}]},
        {"detail-type": [{"suffix": "Finding"}]},
        {"source": [{"anything-but": "aws.config"}]},
        {"source": [{"anything-but": {"prefix": "my."}}]},
        {"source": [{"equals-ignore-case": "AWS.GuardDuty"}]},
        {"source": [{"wildcard": "aws.*duty"}]},
        {"detail": {"severity": [{"numeric": [">=", 7, "<", 9]}]}},
        {"detail": {"severity": [8, 8.5]}},
        {"detail": {"tags": ["b"]}},
        {"detail": {"region": [{"exists": False}]}},
        {"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}},
        {"$or": [{"source": ["aws.config"]}, {"detail": {"severity": [8]}}]},
        {"source": ["«var.source»"]},
    ],
)
def test_a_pattern_catches_an_event(pattern):
    assert catches(pattern, FINDING)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.config"]},
        {"source": [{"anything-but": ["aws.guardduty"]}]},
        {"detail": {"severity": [{"numeric": ["<", 7]}]}},
        {"detail": {"tags": ["c"]}},
        {"detail": {"missing": ["x"]}},
        {"detail": {"severity": [{"exists": False}]}},
        {"detail": {"severity": ["8"]}},
        {"detail": {"ip": [{"cidr": "not a network"}]}},
        {"source": "aws.guardduty"},
        "aws.guardduty",
        None,
    ],
)
def test_a_pattern_does_not_catch_an_event(pattern):
    assert not catches(pattern, FINDING)
