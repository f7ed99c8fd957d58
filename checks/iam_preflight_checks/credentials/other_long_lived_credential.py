from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.certificates import ends_on
from iam_preflight.graph.credentials import CredentialKind
from iam_preflight.rules import Rule
from iam_preflight.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.credentials import Credential
    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource

CERTIFICATE = "aws_iam_server_certificate"
HINTS = {
    CredentialKind.SSH_KEY: "use git-remote-codecommit with a role",
    CredentialKind.SIGNING: "sign requests with the temporary credentials of a role",
    CredentialKind.SERVICE: "use the temporary credentials of a role; else give it an age",
}


class OtherLongLivedCredential(Rule):
    """A user has a long-lived credential other than a key or password.

    ## What it checks
    - SSH keys, signing certificates and service-specific credentials (CodeCommit, Amazon
      Keyspaces, Amazon Bedrock API keys) that are not `Inactive`. A service-specific credential
      that ends by itself within `max_key_age_days` (90) is left alone.
    - TLS certificates that are uploaded to IAM. Nobody renews those: low, and high once the
      certificate has ended. ACM renews its own and is available in all regions.

    ## Why it matters
    They work like access keys, and the reports and rotation that watch access keys do not see
    them. A Bedrock API key without an end is spent money for whoever finds it.

    ## How to fix
    Use a role: git-remote-codecommit, the SigV4 plugins of Keyspaces and short-term Bedrock
    keys all work with temporary credentials. Move certificates to ACM.

    ## Example
    ```hcl
    resource "aws_iam_service_specific_credential" "bedrock" {
      service_name        = "bedrock.amazonaws.com"
      user_name           = aws_iam_user.assistant.name
      credential_age_days = 30
    }
    ```
    ```yaml
    Certificate:
      Type: AWS::CertificateManager::Certificate
      Properties:
        DomainName: shop.example.com
        ValidationMethod: DNS
    ```
    """

    id = "CRED-005"
    name = "other-long-lived-credential"
    severity = Severity.MEDIUM
    practice = 10
    reads = (CERTIFICATE,)
    compliance = {
        Framework.CIS: ("1.19", "1.18", "2.17"),
        Framework.NIST: ("IA-5",),
        Framework.ISO: ("A.5.17",),
        Framework.FSBP: ("IAM.26",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02", "SEC02-BP05"),
    }
    equivalents = {
        "prowler": (
            "iam_no_expired_server_certificates_stored",
            "bedrock_api_key_no_long_term_credentials",
        ),
        "trivy": ("AWS-0168",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/security-creds-programmatic-access.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        days = graph.settings.max_key_age_days
        for credential in graph.credentials.of_kind(*HINTS):
            if credential.is_active and not credential.ends_within(days):
                yield self._of_credential(credential)
        for certificate in graph.of_type(CERTIFICATE):
            yield self._of_certificate(certificate, graph)

    def _of_credential(self, credential: Credential) -> Finding:
        service = credential.resource.text("service_name") or ""
        of_service = f" ({service.partition('.')[0]})" if service else ""
        is_library = credential.resource.deployment.is_library
        return self.finding(
            f"{credential.user_label} has {credential.kind.value}{of_service} that never ends",
            on=credential.resource,
            at=credential.resource.header,
            severity=Severity.LOW if is_library else None,
            hint=HINTS[credential.kind],
            evidence=credential.user_label,
            principal=credential.owner,
        )

    def _of_certificate(self, certificate: Resource, graph: Graph) -> Finding:
        body = certificate.get("certificate_body")
        end = ends_on(text_of(body) or "")
        is_over = end is not None and end < graph.today
        until = f"ended on {end}" if is_over else "is not renewed by anybody"
        return self.finding(
            f"the TLS certificate {certificate.block} is kept in IAM and {until}",
            on=certificate,
            at=certificate.header,
            severity=Severity.HIGH if is_over else Severity.LOW,
            hint="let ACM issue and renew it",
            evidence=certificate.address,
        )
