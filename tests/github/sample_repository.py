"""A repository with a pull request, around rules that will stay: LEAST-001 and SEG-007."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

RULES = "--select LEAST-001 --select SEG-007"

OPEN_ROLE = """\
resource "aws_iam_role" "open" {
  name = "open"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = "*" } }]
  })
}
"""
QUIET_ROLE = OPEN_ROLE.replace('{ AWS = "*" }', '{ Service = "lambda.amazonaws.com" }')
ADMIN = """\
resource "aws_iam_policy" "admin" {
  name = "admin"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }]
  })
}
"""


@dataclass(frozen=True)
class Sample:
    path: Path

    @classmethod
    def made(cls, path: Path) -> Sample:
        path.mkdir()
        sample = cls(path)
        sample.git("init", "--quiet", "--initial-branch", "main")
        return sample

    def git(self, *arguments: str) -> str:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            **{f"GIT_{who}_NAME": "test" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "test@example.com" for who in ("AUTHOR", "COMMITTER")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        command = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, env=environment)
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def open_pull_request(self, files: dict[str, str], later: dict[str, str]) -> dict[str, Any]:
        """A branch with a change, a main branch that went on, and the merge of both checked out."""
        self.git("switch", "--quiet", "--create", "change")
        head = self.commit(files)
        self.git("switch", "--quiet", "main")
        base = self.commit(later)
        self.git("switch", "--quiet", "--detach", "main")
        self.git("merge", "--quiet", "--no-ff", "-m", "merge", "change")
        return pull_request_event(base, head)

    def open_pull_request_again(self, files: dict[str, str]) -> dict[str, Any]:
        """A further commit on the branch."""
        self.git("switch", "--quiet", "change")
        head = self.commit(files)
        base = self.git("rev-parse", "main")
        self.git("switch", "--quiet", "--detach", "main")
        self.git("merge", "--quiet", "--no-ff", "-m", "merge", "change")
        return pull_request_event(base, head)


def pull_request_event(base: str, head: str) -> dict[str, Any]:
    repository = {"full_name": "octocat/hello", "owner": {"login": "octocat"}}
    return {
        "action": "synchronize",
        "number": 7,
        "repository": repository,
        "pull_request": {
            "number": 7,
            "head": {"sha": head, "ref": "change", "repo": repository},
            "base": {"sha": base, "ref": "main", "repo": repository},
        },
    }


def write_event(file: Path, event: dict[str, Any]) -> Path:
    file.write_text(json.dumps(event), encoding="utf-8")
    return file
