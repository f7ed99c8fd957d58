import pytest

from iam_preflight.knowledge.managed import managed_policies, managed_policy
from iam_preflight.policy.document import Resolution


@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws-cn:iam::aws:policy/AdministratorAccess",
        "arn:aws-us-gov:iam::aws:policy/AdministratorAccess",
        "arn:«var.partition»:iam::aws:policy/AdministratorAccess",
        "AdministratorAccess",
    ],
)
def test_a_policy_is_found_in_any_partition_or_by_name(name):
    document = managed_policy(name)
    assert document is not None
    (statement,) = document.statements
    assert [action.text for action in statement.actions] == ["*"]
    assert [resource.text for resource in statement.resources] == ["*"]


@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "service-role/AWSLambdaBasicExecutionRole",
        "AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
    ],
)
def test_names_may_have_a_path(name):
    assert managed_policy(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "NoSuchPolicy",
        "administratoraccess",
        "arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/job-function/AdministratorAccess",
        "arn:aws:iam::111122223333:policy/AdministratorAccess",
        "job-function/AdministratorAccess",
    ],
)
def test_what_aws_does_not_have_is_not_found(name):
    assert managed_policy(name) is None


def test_one_document_is_shared_by_all_who_ask():
    assert managed_policy("ReadOnlyAccess") is managed_policy(
        "arn:aws:iam::aws:policy/ReadOnlyAccess"
    )


def test_statements_have_places_in_a_file_named_by_the_arn():
    document = managed_policy("IAMFullAccess")
    assert document is not None
    span = document.statements[0].actions[0].span
    assert span.path == "arn:aws:iam::aws:policy/IAMFullAccess"
    assert span.line > 1
    assert span.text.strip('"') == document.statements[0].actions[0].text


def test_every_shipped_document_is_read_in_full():
    policies = managed_policies()
    assert len(policies) > 1500
    for name in list(policies)[::40]:
        document = policies.get(name)
        assert document is not None
        assert document.resolution is Resolution.FULL
        assert document.problems == ()
        assert document.statements
