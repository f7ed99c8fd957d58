"""Reports of every kind, without a scan."""

from __future__ import annotations

from typing import Any

from iam_preflight.reporters import model


def place(line: int = 1, file: str = "infra/main.tf") -> model.Place:
    return model.Place(file=file, line=line, column=1, end_line=line, end_column=9)


def finding(number: int = 1, severity: model.SeverityName = "high", **fields: Any) -> model.Finding:
    values: dict[str, Any] = {
        "rule": "TEST-001",
        "severity": severity,
        "confidence": "high",
        "message": f"finding {number} of them",
        "address": f"aws_iam_role.r{number}",
        "addresses": (f"aws_iam_role.r{number}",),
        "type": "aws_iam_role",
        "root": "infra",
        "place": place(number),
        "fingerprint": str(number),
        **fields,
    }
    return model.Finding(**values)


def change(**fields: Any) -> model.Change:
    return model.Change(base="a" * 40, head="working tree", **fields)


def report(*findings: model.Finding, **fields: Any) -> model.Report:
    counts = {
        severity: sum(one.severity == severity and one.outcome == "shown" for one in findings)
        for severity in model.SEVERITIES
    }
    compared = fields.get("change")
    values: dict[str, Any] = {
        "version": model.VERSION,
        "tool": model.Tool(version="0"),
        "verdict": "findings" if any(counts.values()) else "clean",
        "fail_on": "info",
        "counts": model.Counts(**counts, fixed=len(compared.fixed) if compared else 0),
        "coverage": model.Coverage(principals=2, policies=3, full=2, partly=1, none=0),
        "files": 1,
        "findings": findings,
        "problems": (),
        "rules": (),
        "practices": {},
        **fields,
    }
    return model.Report(**values)


CLEAN = report()
FINDINGS = report(finding(1), finding(2, "low"))
CHANGED = report(
    finding(1, "critical"),
    change=change(
        fixed=(finding(9),),
        access=(
            model.Access(
                address="aws_iam_role.ci",
                subject="role ci",
                message="role ci can now iam:PassRole on any role",
                action="iam:PassRole",
                resource="arn:aws:iam::111122223333:role/x",
                place=place(4),
            ),
        ),
        paths=(
            model.Escalation(
                address="aws_iam_role.ci",
                message="role ci can now become an administrator",
                place=place(1),
                steps=(
                    model.Place(
                        file="infra/main.tf",
                        line=4,
                        column=1,
                        end_line=4,
                        end_column=3,
                        label='role ci passes "admin" to a new function',
                    ),
                ),
            ),
        ),
        trust=(
            model.Trust(
                address="aws_iam_role.ci",
                who="111122223333",
                kind="account",
                message="account 111122223333 may now assume role ci",
                place=place(5),
            ),
        ),
        ignores=(model.AddedIgnore(rules=("TEST-001",), reason="it is fine", place=place(6)),),
    ),
)
