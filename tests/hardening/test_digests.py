"""A digest without OpenSSL is the digest."""

from __future__ import annotations

import hashlib
import sys

import pytest

from iam_preflight import digests


@pytest.fixture(autouse=True)
def forgetful() -> None:
    digests._algorithm.cache_clear()


@pytest.mark.parametrize("data", [b"", b"text", b"x" * 100_000])
def test_it_is_that_of_hashlib(data: bytes) -> None:
    assert digests.sha256(data) == hashlib.sha256(data).hexdigest()


def test_it_is_that_of_hashlib_where_python_has_no_module_of_its_own(monkeypatch) -> None:
    for name in digests.MODULES[:-1]:
        monkeypatch.setitem(sys.modules, name, None)
    assert digests.sha256(b"text") == hashlib.sha256(b"text").hexdigest()
