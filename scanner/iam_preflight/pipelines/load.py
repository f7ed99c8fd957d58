"""The front end's one entry: pipeline files in, jobs that sign in to AWS out, as resources.

A job is a resource of the type `pipeline_job` with these attributes:

- `platform`      the issuer of its tokens: `GitHub Actions`, `GitLab`
- `triggers`      what starts it, each where it is written
- `role`          the role that it takes
- `environment`   the deployment environment that it runs in
- `code_of`       where it checks out what somebody proposes, as opposed to what was accepted
- `guard`         a condition under which alone it runs
- `access_key`    a long-lived key that it signs in with

Files without a word about AWS are not read; one with such a word that is not YAML is a problem.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iam_preflight.discovery import Workspace
    from iam_preflight.resources import Resource

_WORKFLOWS = ".github/workflows"
_GITLAB = ".gitlab-ci.yml"
_SUFFIXES = (".yml", ".yaml")


def load_pipelines(workspace: Workspace, files: Sequence[str]) -> Iterator[Resource]:
    """The jobs in the pipeline files among the scanned ones, and in those of the tree's top."""
    tree = workspace.tree
    top = [f"{_WORKFLOWS}/{name}" for name in tree.names(_WORKFLOWS) if name.endswith(_SUFFIXES)]
    if tree.is_file(_GITLAB):
        top.append(_GITLAB)
    folders: dict[str, list[str]] = {}
    for path in sorted({*top, *files}):
        folder, name = posixpath.split(path)
        if name == _GITLAB or (folder.endswith(_WORKFLOWS) and name.endswith(_SUFFIXES)):
            folders.setdefault(folder, []).append(path)
    for folder, paths in folders.items():
        sources = [source for path in paths if (source := workspace.source(path)) is not None]
        if folder.endswith(_WORKFLOWS):
            from iam_preflight.pipelines.actions import jobs
        else:
            from iam_preflight.pipelines.gitlab import jobs
        yield from jobs(sources, workspace.problems)
