"""Reads the data files that are shipped beside this package."""

from __future__ import annotations

from importlib.resources import files
from typing import TypeVar

import msgspec

T = TypeVar("T")


def read_bytes(name: str) -> bytes:
    return (files("iam_preflight.knowledge") / "data" / name).read_bytes()


def read_data(name: str, shape: type[T]) -> T:
    """A JSON data file as typed objects. Data that does not fit its type is a fault of ours."""
    return msgspec.json.decode(read_bytes(name), type=shape)
