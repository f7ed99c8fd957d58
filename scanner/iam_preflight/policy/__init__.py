"""The policy engine: documents, matching, effective permissions, difference."""
