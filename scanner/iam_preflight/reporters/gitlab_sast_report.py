"""GitLab's SAST report, for merge requests' security widget and the vulnerability list.

https://docs.gitlab.com/development/integrations/secure/ and the published schemas
(https://gitlab.com/gitlab-org/security-products/security-report-schemas).
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, TextIO

from iam_preflight.reporters.escape import json_text, visible

if TYPE_CHECKING:
    from iam_preflight.reporters.model import Finding, Options, Problem, Report, Rule

VERSION = "15.0.7"
NO_TIME = "1970-01-01T00:00:00"
"""The schema asks for times; real ones would make every report of the same input another one."""
MAX_NAME = 255
MAX_MESSAGE = 1_000
_SPACE = uuid.UUID("6f0f6c1e-3b0e-5d5a-9f0c-1a2b3c4d5e6f")


def write(report: Report, stream: TextIO, _options: Options) -> None:
    rules = {rule.id: rule for rule in report.rules}
    scanner = {
        "id": "iam_preflight",
        "name": "IAM Preflight",
        "version": report.tool.version,
        "vendor": {"name": "IAM Preflight"},
    }
    data = {
        "version": VERSION,
        "scan": {
            "analyzer": scanner,
            "scanner": scanner,
            "type": "sast",
            "start_time": NO_TIME,
            "end_time": NO_TIME,
            "status": "failure" if report.verdict == "not-analysed" else "success",
            "messages": [_message(problem) for problem in report.problems],
        },
        "vulnerabilities": [
            _vulnerability(finding, rules.get(finding.rule)) for finding in report.shown
        ],
    }
    stream.write(json_text(json.dumps(data, indent=2, ensure_ascii=False)))
    stream.write("\n")


def _message(problem: Problem) -> dict[str, str]:
    place = f"{problem.file}:{problem.line}" if problem.line else problem.file
    text = visible(f"{problem.code} {place}: {problem.message}")[:MAX_MESSAGE]
    return {"level": "fatal" if problem.fails else "warn", "value": text}


def _vulnerability(finding: Finding, rule: Rule | None) -> dict[str, Any]:
    place = finding.place
    data: dict[str, Any] = {
        "id": str(uuid.uuid5(_SPACE, finding.fingerprint)),
        "name": visible(rule.title if rule is not None else finding.rule)[:MAX_NAME],
        "description": visible(f"{finding.address}: {finding.message}"),
        "severity": finding.severity.capitalize(),
        "location": {
            "file": place.file,
            "start_line": place.line,
            "end_line": place.end_line,
        },
        "identifiers": [
            {"type": "iam_preflight", "name": one, "value": one}
            for one in (finding.rule, *finding.also)
        ],
        "tracking": {
            "type": "source",
            "items": [
                {
                    "file": place.file,
                    "start_line": place.line,
                    "end_line": place.end_line,
                    "signatures": [
                        {
                            "algorithm": "scope_offset",
                            "value": f"{place.file}|{finding.fingerprint}",
                        }
                    ],
                }
            ],
        },
    }
    if finding.hint:
        data["solution"] = visible(finding.hint)
    if rule is not None and rule.references:
        data["links"] = [{"url": url} for url in rule.references]
    return data
