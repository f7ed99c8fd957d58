from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.secrets import SinkKind, configured_key, sink_types
from iam_preflight.rules import Rule
from iam_preflight.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.secrets import Flow, WrittenKey
    from iam_preflight.resources import Resource

PROVIDER, BACKEND = "terraform_provider", "terraform_backend"
HINTS = {
    SinkKind.ENVIRONMENT: "give the workload a role and leave the key out",
    SinkKind.USER_DATA: "give the instance a role by an instance profile",
    SinkKind.CLUSTER: "give the pods a role with EKS Pod Identity or IRSA",
    SinkKind.CI: "let the pipeline assume a role with OIDC",
}


class StaticCredentials(Rule):
    """A workload, provider or pipeline is given static AWS credentials.

    ## What it checks
    Two ways in which an access key gets to whoever uses it:

    - The secret of a key that the code makes (`aws_iam_access_key.….secret`,
      `!GetAtt Key.SecretAccessKey`) reaches the environment of a function, task, job or build,
      a start-up script, a Kubernetes secret, a Helm release or a pipeline variable. It is
      followed through locals, modules, templates, JSON and base64. Kept in Secrets Manager, a
      SecureString or Vault it is medium, and told with the key (ROLE-002).
    - A key is written into one of these places, into an output or a parameter, into an `aws`
      provider or the backend: an id such as `AKIA…`, or a secret beside one. An id alone is
      medium. Keys of AWS's documentation and made-up ones are low, and only shown with the
      persona *pedantic*: they stand where the real one will. Providers of local test endpoints
      are left alone.

    A provider or backend whose profile is called after the root user is medium.

    ## Why it matters
    Whoever may describe the function, read the state or the build log has a key that works
    from anywhere and never ends.

    ## How to fix
    Give the workload a role and delete the key. Rotate a key that was written down: it is in
    the history of the repository.

    ## Example
    ```hcl
    resource "aws_lambda_function" "export" {
      environment {
        variables = { AWS_SECRET_ACCESS_KEY = aws_iam_access_key.export.secret }
      }
    }
    ```
    Instead: `role = aws_iam_role.export.arn`, and no key at all.
    """

    id = "ROLE-005"
    name = "static-credentials"
    severity = Severity.HIGH
    practice = 1
    yields_to = ("ROLE-002",)
    reads = (*sink_types(), PROVIDER, BACKEND)
    compliance = {
        Framework.CIS: ("1.18", "1.17", "2.16"),
        Framework.NIST: ("IA-5(7)", "AC-6"),
        Framework.ISO: ("A.5.17", "A.8.2"),
        Framework.FSBP: ("CodeBuild.2", "ECS.8"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02", "SEC02-BP03"),
    }
    equivalents = {
        "checkov": ("CKV_AWS_41", "CKV_AWS_45", "CKV_AWS_46"),
        "kics": (
            "d7b9d850",
            "1402afd8-a95c-4e84-8b0b-6fb43758e6ce",
            "2564172f-c92b-4261-9acd-464aed511696",
        ),
        "trivy": ("AWS-0029", "AWS-0122"),
        "aws-config": ("CODEBUILD_PROJECT_ENVVAR_AWSCRED_CHECK",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#bp-workloads-use-roles",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        told: set[tuple[int, int]] = set()
        for flow in graph.credentials.secrets.flows:
            pair = (id(flow.sink), id(flow.source))
            if flow.attribute == "secret" and pair not in told and _is_used(flow):
                told.add(pair)
                yield self._of_flow(flow)
        for written in graph.credentials.secrets.written:
            yield self._of_written(written)
        for resource in graph.of_type(PROVIDER, BACKEND):
            yield from self._of_configuration(resource, graph)

    def _of_flow(self, flow: Flow) -> Finding:
        is_kept = flow.kind in (SinkKind.VAULT, SinkKind.PARAMETER)
        key = flow.source.header
        return self.finding(
            f"the {flow.what} of {flow.source.block} goes into {flow.kind.describe(flow.sink)}",
            on=flow.sink,
            at=flow.place,
            severity=Severity.MEDIUM if is_kept else Severity.HIGH,
            related=((key, "the key"),),
            hint=HINTS.get(flow.kind, "let whoever reads it assume a role, and delete the key"),
            evidence=f"{flow.source.address}.{flow.attribute}",
            # a key that is kept well is no more than the key itself
            causes=(key,) if is_kept else (flow.place,),
            assumptions=(*flow.assumptions, *flow.source.assumptions),
        )

    def _of_written(self, written: WrittenKey) -> Finding:
        what = "an AWS secret access key" if written.has_secret else "the id of an AWS access key"
        if written.is_made_up:
            what = "a made-up access key"
        severity = Severity.HIGH if written.has_secret else Severity.MEDIUM
        return self.finding(
            f"{what} is written into {written.kind.describe(written.sink)}",
            on=written.sink,
            at=written.place,
            severity=Severity.LOW if written.is_made_up else severity,
            persona=Persona.PEDANTIC if written.is_made_up else None,
            hint=f"delete the key; {HINTS.get(written.kind, 'use a role')}",
            evidence=f"written key in {written.sink.address}",
            assumptions=written.assumptions,
        )

    def _of_configuration(self, resource: Resource, graph: Graph) -> Iterator[Finding]:
        """A provider or backend: keys that stand in it, keys made elsewhere, profiles of root."""
        if resource.name not in ("aws", "awscc", "s3", "dynamodb"):
            return
        where = f"{resource.native_type} {resource.name}"
        key = configured_key(resource, graph)
        if key is not None:
            yield self.finding(
                f"{where} uses a {'made-up' if key.is_made_up else 'static'} access key",
                on=resource,
                at=key.place,
                severity=Severity.LOW if key.is_made_up else None,
                persona=Persona.PEDANTIC if key.is_made_up else None,
                hint="leave it out and let the environment give a role",
                evidence=key.attribute,
            )
            if not key.is_made_up:
                return
        profile = resource.get("profile")
        if profile is not None and "root" in (text_of(profile) or "").lower().split("-"):
            yield self.finding(
                f"{where} signs in with a profile of the root user",
                on=resource,
                at=profile.span,
                severity=Severity.MEDIUM,
                hint="use a role for deployments",
                evidence="profile",
            )


def _is_used(flow: Flow) -> bool:
    """Whether the flow gives a key to a user of it; what only shows it is told by CRED-004."""
    if (flow.source.text("status") or "").lower() == "inactive":
        return False
    if flow.kind is SinkKind.PARAMETER:
        return flow.sink.text("type") == "SecureString"
    return flow.kind not in (SinkKind.OUTPUT, SinkKind.FILE)
