"""SHA-256 without `hashlib`, which loads OpenSSL: the standard library's `random` does likewise."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MODULES = ("_sha2", "_sha256", "hashlib")
"""Python's own since 3.12 and before that; other Pythons may have neither."""


def sha256(data: bytes) -> str:
    """The digest in hexadecimal digits."""
    return str(_algorithm()(data).hexdigest())


@functools.cache
def _algorithm() -> Callable[[bytes], Any]:
    for name in MODULES:
        try:
            algorithm: Callable[[bytes], Any] = importlib.import_module(name).sha256
        except ImportError:
            continue
        return algorithm
    raise AssertionError("hashlib is part of every Python")
