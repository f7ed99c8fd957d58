"""The garbage collector is as it was after a scan."""

from __future__ import annotations

import gc

import pytest

from iam_preflight.collector import no_collection


@pytest.mark.parametrize("was_enabled", [True, False])
def test_collector_is_off_within_and_as_before_after(was_enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if was_enabled else gc.disable)()
        with pytest.raises(RuntimeError), no_collection():
            assert not gc.isenabled()
            raise RuntimeError
        assert gc.isenabled() is was_enabled
    finally:
        (gc.enable if before else gc.disable)()
