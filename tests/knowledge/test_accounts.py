import pytest

from iam_preflight.knowledge.accounts import AccountKind, known_account


@pytest.mark.parametrize(
    ("account", "kind", "name"),
    [
        ("127311923021", AccountKind.AWS, "Elastic Load Balancing log delivery"),
        ("086441151436", AccountKind.AWS, "CloudTrail log delivery"),
        ("193672423079", AccountKind.AWS, "Redshift audit logging"),
        ("464622532012", AccountKind.VENDOR, "Datadog"),
        ("111122223333", AccountKind.DOCUMENTATION, "AWS documentation"),
    ],
)
def test_well_known_accounts_have_a_name_and_a_source(account, kind, name):
    known = known_account(account)
    assert known is not None
    assert (known.kind, known.name) == (kind, name)
    assert known.source.startswith("https://")


@pytest.mark.parametrize("account", ["", "210987654321", "464622532012 ", "*"])
def test_other_accounts_are_not_known(account):
    assert known_account(account) is None
