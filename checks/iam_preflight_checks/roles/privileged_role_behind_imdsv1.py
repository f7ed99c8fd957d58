from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.entrypoints import TYPES, entrypoints
from iam_preflight.graph.metadata import DEFAULTS, MACHINES, open_metadata, worth_stealing
from iam_preflight.graph.narrative import evidence_of
from iam_preflight.knowledge.worth import Worth, changing
from iam_preflight.resources import Framework as Language
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Workload
    from iam_preflight.resources import Resource


class PrivilegedRoleBehindImdsv1(Rule):
    """A privileged role's credentials can be fetched with a plain request (IMDSv1).

    ## What it checks
    Instances, launch templates, launch configurations and SageMaker notebooks that answer
    version 1 of the metadata service, and whose role is an administrator, can make itself one,
    or may change identities, keys, secrets or running code everywhere (high), or something less
    grave, or reads secrets and data everywhere (medium). What the agents of every machine need
    (Systems Manager, CloudWatch, image pulls) does not count. Where anybody on the internet
    reaches an administrator's machine it is critical.

    Nothing is reported where tokens are required, where the metadata service is off, and where
    `aws_ec2_instance_metadata_defaults` of the same root module asks for tokens. Where nothing
    is written the image or the account may still ask for them, so that the confidence is medium.

    ## Why it matters
    One request that the application makes for somebody else (server-side request forgery, an
    open proxy) returns the role's credentials. Version 2 asks for a token first, which such
    requests cannot get.

    ## How to fix
    `http_tokens = "required"`, with a hop limit of 1, and a smaller role.

    ## Example
    ```hcl
    metadata_options {
      http_tokens                 = "required"
      http_put_response_hop_limit = 1
    }
    ```
    """

    id = "ROLE-006"
    name = "privileged-role-behind-imdsv1"
    severity = Severity.HIGH
    practice = 1
    reads = (*MACHINES, DEFAULTS, *TYPES)
    compliance = {
        Framework.CIS: ("5.6", "5.7", "6.7"),
        Framework.NIST: ("AC-6", "SC-7"),
        Framework.ISO: ("A.8.9",),
        Framework.FSBP: ("EC2.8",),
        Framework.WELL_ARCHITECTED: ("SEC06-BP02",),
    }
    equivalents = {"checkov": ("CKV_AWS_79",), "terrascan": ("AC_AWS_0487",)}
    references = (
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
        "https://docs.aws.amazon.com/sagemaker/latest/dg/nbi-imds.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        machines = [w for w in graph.workloads if w.resource.type in MACHINES]
        if not machines:
            return
        reached = {id(entry.resource) for entry in entrypoints(graph)}
        for workload in machines:
            yield from self._check(workload, graph, is_public=id(workload.resource) in reached)

    def _check(self, workload: Workload, graph: Graph, *, is_public: bool) -> Iterator[Finding]:
        role, machine = workload.role, workload.resource
        standing = graph.standing(role)
        if not standing.is_privileged:
            return
        found = open_metadata(machine, graph)
        if found is None:
            return
        severity = Severity.HIGH
        related = [(workload.place, f"runs as {role.label}")]
        if standing.is_administrative:
            what = standing.describe()
            severity = Severity.CRITICAL if is_public else Severity.HIGH
        else:
            worth, actions = worth_stealing(role, graph)
            if worth is Worth.LITTLE:
                return
            effective = graph.effective(role)
            changes = actions & changing(effective.catalog)
            action = next(iter(changes or actions))
            grant = effective.broad(action)
            if grant is not None and grant.pattern is not None:
                related.append((grant.action_place, "gives it that"))
                action = grant.pattern.text
            what = f"allowed {action} on everything"
            if worth is not Worth.MOST or not changes:
                severity = Severity.MEDIUM
        evidence = evidence_of(role, graph) if standing.is_administrative else None
        if evidence is not None:
            related.append((evidence.span, evidence.label))
        yield self.finding(
            f"a plain request on {machine.address} returns the credentials of {role.label}, {what}",
            on=machine,
            at=found.place,
            severity=severity,
            confidence=found.confidence,
            related=related,
            hint=f"require tokens: {_required(machine)}, and reduce the role",
            evidence="imdsv1",
            principal=role,
        )


def _required(machine: Resource) -> str:
    """The setting as the language of the machine's code writes it."""
    if machine.deployment.framework is Language.CLOUDFORMATION:
        return "HttpTokens: required"
    return 'http_tokens = "required"'
