"""What keeps a bucket closed, or opens it on purpose, whatever its policy says.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from iam_preflight.resources import Resource
from iam_preflight.values import bool_of, combine, show

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph
    from iam_preflight.values import Assumptions, Value

_FOR_POLICIES = ("block_public_policy", "restrict_public_buckets")
_FOR_LISTS = ("block_public_acls", "ignore_public_acls")
_WITH_LISTS = ("aws_s3_bucket_acl", "aws_s3_bucket_object", "aws_s3_object")


class PublicAccess(Enum):
    BLOCKED = "blocked"
    OPEN = "open"
    """The code says that it is not blocked."""
    DEFAULT = "default"
    """The code says nothing: blocked on every bucket made since April 2023."""


class BucketAccess:
    """The public access blocks and websites of a graph's buckets."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._blocks: dict[object, list[Resource]] = {}
        self._websites: set[object] = set()
        for block in graph.of_type("aws_s3_bucket_public_access_block"):
            self._blocks.setdefault(self._key(block.get("bucket"), block), []).append(block)
        for website in graph.of_type("aws_s3_bucket_website_configuration"):
            self._websites.add(self._key(website.get("bucket"), website))
        self._accounts = graph.of_type("aws_s3_account_public_access_block")

    def _key(self, value: Value | None, resource: Resource) -> object:
        """The bucket that a value names: itself, or its name where it is not in the code."""
        found = self._bucket(value, resource)
        return id(found) if found is not None else (resource.deployment.path, show(value))

    def _bucket(self, value: Value | None, resource: Resource) -> Resource | None:
        if value is None:
            return None
        found = self._graph.lookup.find(value, Resource, resource)
        while found is not None and found.type != "aws_s3_bucket":
            # `bucket = aws_s3_bucket_public_access_block.this.bucket` says it in a roundabout way
            inner = found.get("bucket")
            following = self._graph.lookup.find(inner, Resource, found) if inner else None
            found = following if following is not found else None
        return found

    def bucket(self, resource: Resource) -> Resource | None:
        """The bucket in the code that a policy or an access list belongs to."""
        if resource.type == "aws_s3_bucket":
            return resource
        return self._bucket(resource.get("bucket"), resource)

    def public_access(self, resource: Resource, given: Assumptions = ()) -> PublicAccess:
        """Whether public access through a policy or an access list is blocked.

        `given` is what has to hold for the access to be there: the block is asked for then.
        """
        wanted = _FOR_LISTS if resource.type.startswith(_WITH_LISTS) else _FOR_POLICIES
        for account in self._accounts:
            is_same = account.deployment.path == resource.deployment.path
            if is_same and any(_flags(account, name, given) == {True} for name in wanted):
                return PublicAccess.BLOCKED
        blocks = [
            block
            for block in self._blocks.get(self._key_of(resource), ())
            if combine(given, block.assumptions) is not None
        ]
        if not blocks:
            return PublicAccess.DEFAULT
        flags = [{v for block in blocks for v in _flags(block, name, given)} for name in wanted]
        is_sure = len(blocks) > 1 or all(one in given for one in blocks[0].assumptions)
        if is_sure and any(values == {True} for values in flags):
            return PublicAccess.BLOCKED
        return (
            PublicAccess.OPEN
            if all(values == {False} for values in flags)
            else (PublicAccess.DEFAULT)
        )

    def is_website(self, resource: Resource) -> bool:
        """Whether the bucket is set up to serve a website."""
        bucket = self.bucket(resource)
        if bucket is not None and bucket.get("website") is not None:
            return True
        return self._key_of(resource) in self._websites

    def _key_of(self, resource: Resource) -> object:
        bucket = self.bucket(resource)
        return id(bucket) if bucket is not None else self._key(resource.get("bucket"), resource)


def _flags(block: Resource, name: str, given: Assumptions) -> set[bool | None]:
    """The values that an attribute may have under assumptions; absent is false."""
    found = {
        bool_of(value) for assumed, value in block.arms(name) if combine(given, assumed) is not None
    }
    return found or {False}
