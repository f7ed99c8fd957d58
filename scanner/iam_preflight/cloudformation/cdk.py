"""What a CDK assembly (`cdk.out`) says about its templates: `manifest.json` beside them.

It names the account and region that a stack is for, and the construct that each logical id was
made from; assets of nested stacks are named in the metadata of the templates themselves.

https://github.com/aws/aws-cdk/blob/main/packages/aws-cdk-lib/cloud-assembly-schema/README.md
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.templatetext import TemplateError, read_documents
from iam_preflight.values import Mapping, Value, items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.discovery import Workspace

MANIFEST = "manifest.json"
CONSTRUCT_PATH = "aws:cdk:path"
ASSET_PATH = "aws:asset:path"
ASSET_PROPERTY = "aws:asset:property"

_ENVIRONMENT = re.compile(r"aws://([^/]+)/([^/]+)")
_ACCOUNT = re.compile(r"\d{12}")


class AssembledStack(Struct, frozen=True):
    """One stack of an assembly."""

    name: str = ""
    account: str = ""
    region: str = ""
    constructs: dict[str, str] = field(default_factory=dict)
    """Construct paths by logical id."""


def assembled_stacks(workspace: Workspace, directory: str) -> dict[str, AssembledStack]:
    """The stacks of the assembly in a directory, by the path of their template."""
    path = posixpath.join(directory, MANIFEST)
    root = _read(workspace, path)
    artifacts = root.get("artifacts") if root is not None else None
    if not isinstance(artifacts, Mapping):
        return {}
    found: dict[str, AssembledStack] = {}
    for name in artifacts.entries:
        artifact = artifacts.entries[name]
        if not isinstance(artifact, Mapping):
            continue
        properties = artifact.get("properties")
        file = properties.get("templateFile") if isinstance(properties, Mapping) else None
        template = text_of(file)
        if template is None or text_of(artifact.get("type")) != "aws:cloudformation:stack":
            continue
        constructs = dict(_constructs(artifact.get("metadata")))
        more = text_of(artifact.get("additionalMetadataFile"))
        beside = workspace.beside(directory, more) if more is not None else None
        if beside is not None:
            constructs.update(_constructs(_read(workspace, beside)))
        target = _ENVIRONMENT.fullmatch(text_of(artifact.get("environment")) or "")
        found[posixpath.normpath(posixpath.join(directory, template))] = AssembledStack(
            text_of(artifact.get("displayName")) or name,
            target[1] if target and _ACCOUNT.fullmatch(target[1]) else "",
            target[2] if target and not target[2].startswith("unknown") else "",
            constructs,
        )
    return found


def _read(workspace: Workspace, path: str) -> Mapping | None:
    source = workspace.source(path) if workspace.tree.is_file(path) else None
    if source is None:
        return None
    try:
        roots = [document.root for document in read_documents(source)]
    except TemplateError:
        return None
    return roots[0] if roots and isinstance(roots[0], Mapping) else None


def _constructs(metadata: Value | None) -> Iterator[tuple[str, str]]:
    if not isinstance(metadata, Mapping):
        return
    for path in metadata.entries:
        for _, entry in items_of(metadata.entries[path]):
            if not isinstance(entry, Mapping):
                continue
            logical_id = text_of(entry.get("data"))
            if text_of(entry.get("type")) == "aws:cdk:logicalId" and logical_id is not None:
                yield logical_id, path.lstrip("/")
