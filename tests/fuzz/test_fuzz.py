"""No input crashes the scanner, keeps it for ever, or is reported at a place it does not have.

A short run of each target; `python tests/fuzz --minutes 60` runs them for long, and
`IAM_PREFLIGHT_EXAMPLES` sets how many inputs a target gets here.
"""

from __future__ import annotations

import os

import pytest
from fuzz_targets import TARGETS, Target, run
from hypothesis import given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("IAM_PREFLIGHT_EXAMPLES", "15"))


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_target(target: Target) -> None:
    @settings(max_examples=EXAMPLES * target.share)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        run(target, data.draw(target.inputs))

    check()
