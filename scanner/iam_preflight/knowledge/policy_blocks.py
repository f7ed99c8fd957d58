"""Terraform's policy document blocks: where one names others that it is put together of.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
"""

from __future__ import annotations

POLICY_DOCUMENT = "aws_iam_policy_document"
SOURCES = ("source_json", "source_policy_documents")
OVERRIDES = ("override_policy_documents", "override_json")
"""In the order in which they count; the `_json` forms are of version 2 and 3 of the provider."""
