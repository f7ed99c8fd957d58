"""What subjects pin, issuer by issuer."""

from __future__ import annotations

import pytest

from iam_preflight.knowledge.issuers import HOLE, IssuerKind, Level, cluster_issuer, issuer_of

GITHUB = "token.actions.githubusercontent.com"
EKS = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
T, P, C = Level.TENANT, Level.PROJECT, Level.CONTEXT


@pytest.mark.parametrize(
    ("url", "subject", "pinned"),
    [
        (GITHUB, "*", ()),
        (GITHUB, "repo:*", ()),
        (GITHUB, "repo:acme*", ()),
        (GITHUB, "re*", ()),
        (GITHUB, "*:acme/shop:*", ()),
        (GITHUB, "repo:*:ref:refs/heads/main", ()),
        (GITHUB, "repo:*/shop:ref:refs/heads/main", (P, C)),
        (GITHUB, "repo:acme/*", (T,)),
        (GITHUB, "repo:acme/shop*", (T,)),
        (GITHUB, "repo:acme/app-*:ref:refs/heads/main", (T, C)),
        (GITHUB, "repo:acme/shop:*", (T, P)),
        (GITHUB, "repo:acme/shop:pull_request", (T, P)),
        (GITHUB, "repo:acme/shop:environment:*", (T, P)),
        (GITHUB, "repo:acme/shop:ref:refs/heads/*", (T, P)),
        (GITHUB, "repo:acme/shop:ref:refs/heads/release/*", (T, P, C)),
        (GITHUB, "repo:acme/shop:ref:refs/tags/v*", (T, P, C)),
        (GITHUB, "repo:acme@1/shop@2:ref:refs/heads/main", (T, P, C)),
        (GITHUB, "repository_owner_id:1:*", (T,)),
        (GITHUB, "acme/shop:ref:refs/heads/main", None),
        (GITHUB, "repo:acme/shop", None),
        (GITHUB, f"repo:{HOLE}:*", (T, P)),
        (GITHUB, f"repo:{HOLE}/*", (T,)),
        (GITHUB, HOLE, (T, P, C)),
        ("gitlab.com", "project_path:acme/*:ref_type:branch:ref:main", (T, C)),
        ("gitlab.com", "project_path:acme/shop:*", (T, P)),
        ("app.terraform.io", "organization:acme:*", (T,)),
        ("app.terraform.io", "organization:acme:project:p:workspace:w:run_phase:*", (T, P, C)),
        ("agent.buildkite.com", "organization:acme:pipeline:shop:*", (T, P)),
        (EKS, "system:serviceaccount:*:*", ()),
        (EKS, "system:serviceaccount:shop:*", (T, P)),
        (EKS, "system:serviceaccount:shop:web", (T, P, C)),
    ],
)
def test_what_a_subject_pins(url: str, subject: str, pinned: tuple[Level, ...] | None) -> None:
    issuer = issuer_of(url)
    assert issuer is not None
    assert issuer.pins("sub", subject) == (None if pinned is None else frozenset(pinned))


def test_issuers_that_strangers_share_are_told_from_those_of_one_customer() -> None:
    shared = {url: issuer_of(url) for url in (GITHUB, "gitlab.com", "accounts.google.com")}
    own = {url: issuer_of(url) for url in (f"{GITHUB}/acme", "gitlab.example.com", EKS)}
    assert all(issuer is not None and issuer.is_shared for issuer in shared.values())
    assert all(issuer is not None and not issuer.is_shared for issuer in own.values())
    assert issuer_of("login.example.com") is None
    assert cluster_issuer().kind is IssuerKind.CLUSTER


def test_claims_that_identify() -> None:
    github = issuer_of(GITHUB)
    assert github is not None
    assert github.identifies("repository_id")
    assert not github.identifies("aud")
    assert github.pins("repository_id", "1296269") == {T, P}
    assert github.pins("environment", "prod") == {C}
