"""Records the exports of accounts that fixtures use, with the tools that users have.

A moto server on loopback plays AWS, boto3 fills it, the real aws command line exports it with
the commands of docs/account-context.md. Days are set by freezegun, so that keys have an age.

    pip install 'moto[server]' boto3 awscli freezegun
    python support/record_account.py [SCENARIO …]

The exports go to fixtures/account/SCENARIO, and to the fixtures of rules that have a folder
SCENARIO beside their code.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from freezegun import freeze_time
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
RULES = ROOT / "fixtures" / "rules"
PROJECTS = ROOT / "fixtures" / "account"
LONG_AGO, LATELY, NOW = "2026-03-02", "2026-10-20", "2026-11-02"


class Account:
    """An AWS account on loopback, and its exports."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_PAGER": "",
            "AWS_CONFIG_FILE": os.devnull,
        }
        self.iam = self.client("iam")
        self.organizations = self.client("organizations")

    def client(
        self,
        service: str,
        key: str = "testing",
        secret: str = "testing",
        token: str | None = None,
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="eu-west-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    def use(self, key: dict[str, Any]) -> None:
        """Signs a request with a key, so that it has a last use."""
        token = key.get("SessionToken")
        self.client("s3", key["AccessKeyId"], key["SecretAccessKey"], token).list_buckets()

    def aws(self, *words: str) -> str:
        command = [str(Path(sys.executable).with_name("aws")), *words, "--output", "json"]
        run = subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True
        )
        return run.stdout

    # ---- exports, as docs/account-context.md has them

    def export_details(self, folder: Path) -> None:
        text = self.aws(
            "iam",
            "get-account-authorization-details",
            "--filter",
            "User",
            "Role",
            "Group",
            "LocalManagedPolicy",
        )
        (folder / "authorization-details.json").write_text(text)

    def export_credentials(self, folder: Path) -> None:
        while True:
            state = json.loads(self.aws("iam", "generate-credential-report"))["State"]
            if state == "COMPLETE":
                break
            time.sleep(0.1)
        report = self.iam.get_credential_report()
        (folder / "credential-report.csv").write_bytes(report["Content"])

    def export_organization(self, folder: Path) -> None:
        def write(name: str, *words: str) -> dict[str, Any]:
            text = self.aws("organizations", *words)
            (folder / f"{name}.json").write_text(text)
            loaded: dict[str, Any] = json.loads(text)
            return loaded

        write("organization", "describe-organization")
        parents = [root["Id"] for root in write("roots", "list-roots")["Roots"]]
        for parent in parents:
            units = write(
                f"units-{parent}",
                "list-organizational-units-for-parent",
                "--parent-id",
                parent,
                "--query",
                f"{{ParentId: '{parent}', OrganizationalUnits: OrganizationalUnits}}",
            )
            parents += [unit["Id"] for unit in units["OrganizationalUnits"]]
            write(
                f"accounts-{parent}",
                "list-accounts-for-parent",
                "--parent-id",
                parent,
                "--query",
                f"{{ParentId: '{parent}', Accounts: Accounts}}",
            )
        listed = self.aws("organizations", "list-policies", "--filter", "SERVICE_CONTROL_POLICY")
        for policy in json.loads(listed)["Policies"]:
            name = policy["Id"]
            write(f"policy-{name}", "describe-policy", "--policy-id", name)
            write(
                f"targets-{name}",
                "list-targets-for-policy",
                "--policy-id",
                name,
                "--query",
                f"{{PolicyId: '{name}', Targets: Targets}}",
            )


def trust(**principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy(*actions: str, resource: str = "*", effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": [*actions], "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# ---------------------------------------------------------------- scenarios


def add_platform(account: Account) -> None:
    """An account with an administrator that Lambda may run as, and people."""
    iam = account.iam
    iam.create_role(
        RoleName="platform-admin", AssumeRolePolicyDocument=trust(Service="lambda.amazonaws.com")
    )
    iam.put_role_policy(
        RoleName="platform-admin", PolicyName="everything", PolicyDocument=policy("*")
    )
    iam.create_role(
        RoleName="reports", AssumeRolePolicyDocument=trust(Service="lambda.amazonaws.com")
    )
    iam.put_role_policy(
        RoleName="reports",
        PolicyName="read",
        PolicyDocument=policy("s3:GetObject", resource="arn:aws:s3:::acme-reports/*"),
    )
    iam.create_group(GroupName="developers", Path="/people/")
    iam.create_user(UserName="alice", Path="/people/")
    iam.add_user_to_group(GroupName="developers", UserName="alice")
    deploy = iam.create_policy(
        PolicyName="deploy", PolicyDocument=policy("ecs:UpdateService", "ecs:DescribeServices")
    )["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="developers", PolicyArn=deploy)


def escalation(account: Account, folder: Path) -> None:
    add_platform(account)
    account.export_details(folder)


def guarded(account: Account, folder: Path) -> None:
    add_platform(account)
    organizations = account.organizations
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    unit = organizations.create_organizational_unit(ParentId=root, Name="workloads")
    unit_id = unit["OrganizationalUnit"]["Id"]
    made = organizations.create_account(AccountName="shop", Email="shop@example.com")
    number = made["CreateAccountStatus"]["AccountId"]
    organizations.move_account(AccountId=number, SourceParentId=root, DestinationParentId=unit_id)
    denied = organizations.create_policy(
        Name="no-passing",
        Description="Roles are passed by the pipeline",
        Type="SERVICE_CONTROL_POLICY",
        Content=policy("iam:PassRole", effect="Deny"),
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=denied, TargetId=unit_id)
    account.export_details(folder)
    account.export_organization(folder)
    _move(folder, "123456789012", number)


def _move(folder: Path, number: str, to: str) -> None:
    """Moto has one account: its roles become those of a member, the management account another."""
    details = folder / "authorization-details.json"
    details.write_text(details.read_text().replace(number, to))


def people(account: Account, folder: Path) -> None:
    """Keys and passwords as they should not be: old, unused, without a second factor."""
    iam = account.iam
    with freeze_time(LONG_AGO):
        for name in ("robot", "rusty", "bob"):
            iam.create_user(UserName=name)
        key = iam.create_access_key(UserName="robot")["AccessKey"]
        iam.create_access_key(UserName="rusty")
    with freeze_time(LATELY):
        account.use(key)
        iam.create_login_profile(UserName="bob", Password="Correct-horse-1")
    account.export_details(folder)
    account.export_credentials(folder)


def people_in_order(account: Account, folder: Path) -> None:
    """A young key that is used, a password with a second factor."""
    iam = account.iam
    with freeze_time(LATELY):
        for name in ("robot", "carol"):
            iam.create_user(UserName=name)
        key = iam.create_access_key(UserName="robot")["AccessKey"]
        account.use(key)
        iam.create_login_profile(UserName="carol", Password="Correct-horse-1")
        device = iam.create_virtual_mfa_device(VirtualMFADeviceName="carol")
        iam.enable_mfa_device(
            UserName="carol",
            SerialNumber=device["VirtualMFADevice"]["SerialNumber"],
            AuthenticationCode1="123456",
            AuthenticationCode2="654321",
        )
    account.export_details(folder)
    account.export_credentials(folder)


WORK = policy(
    "s3:GetObject",
    "dynamodb:GetItem",
    "dynamodb:DeleteItem",
    resource="arn:aws:s3:::acme-reports/*",
)


def workload(account: Account, folder: Path) -> None:
    """A role that somebody has changed by hand, and that nobody uses as it was meant."""
    iam = account.iam
    services = json.loads(trust(Service="ecs-tasks.amazonaws.com"))
    services["Statement"] += json.loads(trust(AWS="arn:aws:iam::123456789012:user/mallory"))[
        "Statement"
    ]
    with freeze_time(LONG_AGO):
        iam.create_user(UserName="mallory")
        fence = iam.create_policy(PolicyName="fence", PolicyDocument=policy("s3:*", "dynamodb:*"))
        iam.create_role(
            RoleName="jobs",
            AssumeRolePolicyDocument=json.dumps(services),
            PermissionsBoundary=fence["Policy"]["Arn"],
        )
        iam.put_role_policy(RoleName="jobs", PolicyName="work", PolicyDocument=WORK)
        extra = iam.create_policy(
            PolicyName="quick-fix",
            PolicyDocument=policy("sqs:SendMessage", resource="arn:aws:sqs:*:*:jobs"),
        )
        iam.attach_role_policy(RoleName="jobs", PolicyArn=extra["Policy"]["Arn"])
    with freeze_time(LATELY):
        iam.create_user(UserName="fresh")
    account.export_details(folder)
    _write_use(folder, "arn:aws:iam::123456789012:role/jobs", is_used=False)
    _write_findings(folder, "arn:aws:iam::999988887777:root")


def workload_in_order(account: Account, folder: Path) -> None:
    """The same role as the code has it, in use."""
    iam = account.iam
    with freeze_time(LONG_AGO):
        iam.create_role(
            RoleName="jobs",
            AssumeRolePolicyDocument=trust(Service="ecs-tasks.amazonaws.com"),
        )
        iam.put_role_policy(RoleName="jobs", PolicyName="work", PolicyDocument=WORK)
    with freeze_time(LATELY):
        session = account.client("sts").assume_role(
            RoleArn="arn:aws:iam::123456789012:role/jobs", RoleSessionName="task"
        )
        account.use(session["Credentials"])
    account.export_details(folder)
    _write_use(folder, "arn:aws:iam::123456789012:role/jobs", is_used=True)
    _write_findings(folder, "arn:aws:iam::123456789012:root")


# ---------------------------------------------------------------- what moto does not play


def _write_use(folder: Path, arn: str, *, is_used: bool) -> None:
    """As `get-service-last-accessed-details` answers, held against botocore's model of it."""
    last = {"LastAuthenticated": f"{LATELY}T08:00:00+00:00"}
    read = {"ActionName": "GetItem", "LastAccessedTime": f"{LATELY}T08:00:00+00:00"}
    deleted = {"ActionName": "DeleteItem"} | (
        {"LastAccessedTime": f"{LATELY}T09:00:00+00:00"} if is_used else {}
    )
    answer = {
        "JobStatus": "COMPLETED",
        "JobType": "ACTION_LEVEL",
        "JobCreationDate": f"{NOW}T00:00:00+00:00",
        "ServicesLastAccessed": [
            {"ServiceName": "Amazon S3", "ServiceNamespace": "s3", **last},
            {
                "ServiceName": "Amazon DynamoDB",
                "ServiceNamespace": "dynamodb",
                **last,
                "TrackedActionsLastAccessed": [read, deleted],
            },
        ],
        "JobCompletionDate": f"{NOW}T00:00:05+00:00",
        "IsTruncated": False,
    }
    _hold_against_model("iam", "GetServiceLastAccessedDetails", answer)
    (folder / "last-accessed-jobs.json").write_text(json.dumps({"Arn": arn, **answer}, indent=4))


def _write_findings(folder: Path, principal: str) -> None:
    """As `accessanalyzer list-findings` answers, held against botocore's model of it."""
    answer = {
        "findings": [
            {
                "id": "4d0bb2c8-1c7a-4f0b-9d1f-2f5b8c1e6a10",
                "principal": {"AWS": principal},
                "action": ["s3:GetObject"],
                "resource": "arn:aws:s3:::acme-reports",
                "isPublic": False,
                "resourceType": "AWS::S3::Bucket",
                "condition": {},
                "createdAt": f"{LATELY}T00:00:00+00:00",
                "analyzedAt": f"{NOW}T00:00:00+00:00",
                "updatedAt": f"{LATELY}T00:00:00+00:00",
                "status": "ACTIVE",
                "resourceOwnerAccount": "123456789012",
            }
        ]
    }
    _hold_against_model("accessanalyzer", "ListFindings", answer)
    (folder / "findings.json").write_text(json.dumps(answer, indent=4))


def _hold_against_model(service: str, operation: str, answer: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model(service)
    _check_shape(answer, model.operation_model(operation).output_shape)


def _check_shape(value: Any, shape: Any) -> None:
    match shape.type_name:
        case "structure":
            unknown = value.keys() - shape.members.keys()
            missing = {*shape.required_members} - value.keys()
            assert not unknown | missing, f"{shape.name}: {unknown} {missing}"
            for key, item in value.items():
                _check_shape(item, shape.members[key])
        case "list":
            for item in value:
                _check_shape(item, shape.member)
        case "map":
            assert isinstance(value, dict), shape.name


SCENARIOS: tuple[Callable[[Account, Path], None], ...] = (
    escalation,
    guarded,
    people,
    people_in_order,
    workload,
    workload_in_order,
)


def main() -> None:
    chosen = sys.argv[1:]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        for scenario in SCENARIOS:
            if chosen and scenario.__name__ not in chosen:
                continue
            _reset(endpoint)
            folder = PROJECTS / scenario.__name__
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with freeze_time(NOW):
                scenario(Account(endpoint), folder)
            for target in RULES.glob(f"*/*/*/{scenario.__name__}"):
                for old in target.glob("*"):
                    if old.suffix != ".expect":
                        old.unlink()
                shutil.copytree(folder, target, dirs_exist_ok=True)
            print(folder.relative_to(ROOT))
    finally:
        server.stop()


def _reset(endpoint: str) -> None:
    import urllib.request

    request = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
    urllib.request.urlopen(request).read()


if __name__ == "__main__":
    main()
