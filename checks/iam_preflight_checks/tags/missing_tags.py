from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.findings import Confidence, Edit, Finding, Fix, Framework, Persona, Severity
from iam_preflight.graph.tagging import missing_keys, taggable
from iam_preflight.graph.tags import Tags, tags_of
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource

_PLAIN = re.compile(r"[\w@.:/ -]+")
_ENTRY = re.compile(r"\s*[\w\"-]+\s*=[^=]")
"""A line of HCL with one tag on it."""
FEW = 2
"""So many resources without a tag are named one by one."""


class MissingTags(Rule):
    """An IAM resource lacks required tags.

    ## What it checks
    That every IAM resource which can carry tags has the required ones: by default
    `Environment`, `Owner` and `CreatedBy`, and `ExpirationDate` on users and on whatever is for
    partners. The provider's `default_tags`, a plan's `tags_all` and the `stack_tags` of the
    settings count. AWS takes `owner` and `Owner` for the same key of an IAM resource: either
    will do here, and TAG-002 speaks about the spelling.

    Types that cannot be tagged are left alone: groups, inline policies, access keys, and in
    CloudFormation managed policies and instance profiles too. Where the tags are partly
    unknown, and in modules that others call, the confidence is low.

    A tag that none of several resources deployed together has is one finding, at the provider
    or the first of them, and one for each only with the pedantic persona.

    ## Why it matters
    Tags say who answers for a role and when it may go. Without them nobody dares to delete
    anything, and attribute-based access control has nothing to stand on.

    ## How to fix
    Add the tags, best as `default_tags` of the provider. Other keys and values can be asked
    for under `tags` in `.iam-preflight.yaml`.

    ## Example
    ```hcl
    provider "aws" {
      default_tags {
        tags = { Environment = "prod", Owner = "team-x@example.com", CreatedBy = "terraform" }
      }
    }
    ```
    ```yaml
    Tags:
      - { Key: Environment, Value: prod }
      - { Key: Owner, Value: team-x@example.com }
      - { Key: CreatedBy, Value: cloudformation }
    ```
    """

    id = "TAG-001"
    name = "missing-tags"
    severity = Severity.LOW
    practice = 9
    compliance = {
        Framework.NIST: ("CM-8", "AC-16"),
        Framework.ISO: ("A.5.9", "A.5.13"),
        Framework.FSBP: ("IAM.24", "IAM.25"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP04",),
    }
    equivalents = {
        "kics": ("e38a8e0a-b88b-4902-b3fe-b0fcb17d5c10",),
        "aws-config": ("REQUIRED_TAGS",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
        "https://docs.aws.amazon.com/prescriptive-guidance/latest/tagging-best-practices/introduction.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        groups: defaultdict[str, list[_Lack]] = defaultdict(list)
        for resource in taggable(graph):
            tags = tags_of(resource)
            lack = _Lack(resource, tags, missing_keys(resource, tags, graph))
            groups[resource.deployment.path].append(lack)
        for members in groups.values():
            yield from self._of_deployment(members, graph)

    def _of_deployment(self, members: list[_Lack], graph: Graph) -> Iterator[Finding]:
        unused: frozenset[str] = frozenset()
        if len(members) > FEW:
            used = {key for key in graph.settings.tags for one in members if one.tags.find(key)}
            unused = frozenset(key for one in members for key in one.missing) - used
        for_all = [one for one in members if one.is_sure and unused.intersection(one.missing)]
        if for_all:
            yield self._for_all(for_all, [key for key in graph.settings.tags if key in unused])
        dates = {key for key, wanted in graph.settings.tags.items() if wanted.is_date}
        agreed = {key: text for key, text in _agreed(members).items() if key not in dates}
        for one in members:
            by_itself = [key for key in one.missing if key not in unused]
            if by_itself:
                fix = _fix(one, by_itself, agreed)
                yield self._for_one(one, by_itself, Persona.REGULAR, fix)
            like_all = [key for key in one.missing if key in unused]
            if like_all:
                yield self._for_one(one, like_all, Persona.PEDANTIC)

    def _for_one(
        self, one: _Lack, missing: list[str], persona: Persona, fix: Fix | None = None
    ) -> Finding:
        listed, resource = ", ".join(missing), one.resource
        written = one.tags.span
        is_here = written is not None and resource.span.contains(written)
        return self.finding(
            f"{resource.address} has no tag {listed}",
            on=resource,
            at=written if written is not None and is_here else resource.header,
            confidence=Confidence.HIGH if one.is_sure else Confidence.LOW,
            persona=persona,
            hint=f"add {listed}, best as default tags for everything",
            evidence=listed,
            fix=fix,
        )

    def _for_all(self, lacking: list[_Lack], missing: list[str]) -> Finding:
        first = min((one.resource for one in lacking), key=lambda found: len(found.assumptions))
        listed = ", ".join(missing)
        return self.finding(
            f"no IAM resource here has a tag {listed} ({len(lacking)} resources)",
            on=first,
            at=first.provider.span or first.header,
            related=[(one.resource.header, "has none") for one in lacking[:6]],
            hint=f"add {listed} to everything, best as default_tags of the provider",
            evidence=f"everything: {listed}",
        )


class _Lack(Struct, frozen=True):
    """A resource, its tags, and the required ones that it has not."""

    resource: Resource
    tags: Tags
    missing: tuple[str, ...]

    @property
    def is_sure(self) -> bool:
        return self.tags.is_complete and not self.resource.deployment.is_library


def _agreed(members: list[_Lack]) -> dict[str, str]:
    """The tags that have one known value wherever they are, with that value."""
    found: defaultdict[str, set[str | None]] = defaultdict(set)
    for one in members:
        for key in one.tags.values:
            found[key].add(one.tags.text(key))
    return {
        key: text for key, texts in found.items() if len(texts) == 1 and (text := next(iter(texts)))
    }


def _fix(one: _Lack, missing: list[str], agreed: dict[str, str]) -> Fix | None:
    """Adds tags that say the same wherever they are, above the first that is written here.

    A value with anything to escape in it is for its author.
    """
    own = [place for place in one.tags.key_spans.values() if one.resource.span.contains(place)]
    values = {key: agreed[key] for key in missing if _PLAIN.fullmatch(agreed.get(key, ""))}
    if not own or len(values) != len(missing):
        return None
    first = min(own, key=lambda place: place.start)
    line = first.source.line_text(first.line)
    indent = line[: len(line) - len(line.lstrip())]
    if not _ENTRY.match(line):
        return None
    text = "".join(f'{key} = "{value}"\n{indent}' for key, value in values.items())
    edit = Edit(replace(first, end=first.start), text)
    return Fix(f"add {', '.join(values)}", (edit,))
