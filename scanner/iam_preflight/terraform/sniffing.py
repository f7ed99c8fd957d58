"""Tells plans from other JSON before anything of their front end is loaded."""

from __future__ import annotations


def is_plan(data: bytes) -> bool:
    """Whether JSON text is likely a plan or state; cheap, for every JSON file there is."""
    return (
        b'"format_version"' in data
        and b'"terraform_version"' in data
        and (b'"root_module"' in data or b'"resource_changes"' in data)
    )
