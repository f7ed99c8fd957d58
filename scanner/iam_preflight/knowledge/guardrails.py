"""What the control policies of an organization should keep its member accounts from doing."""

from __future__ import annotations

import functools

import msgspec

from iam_preflight.knowledge.reading import read_data


class Guardrail(msgspec.Struct, frozen=True):
    what: str
    actions: tuple[str, ...]
    """All of them must be denied."""
    caller: str = "role"
    setting: str = ""
    """The setting that asks for it; always asked for where there is none."""
    region: str = ""
    """Where it is tried; a region that hardly anybody uses."""
    core: bool = False


class GuardrailFacts(msgspec.Struct, frozen=True):
    guardrails: tuple[Guardrail, ...]
    unbound: tuple[str, ...]
    """Words in the names of units that hold closed accounts or are for trying out."""
    module_words: tuple[str, ...]
    """What the name or source of a module is likely to hold if it brings control policies."""


@functools.cache
def guardrail_facts() -> GuardrailFacts:
    return read_data("guardrails.json", GuardrailFacts)
