"""The rules of IAM Preflight as checks of checkov's.

    checkov -d . --external-checks-dir "$(iam-preflight checkov-pack)"

checkov runs this file under its bare name, several times in one process, and takes an error in
it for nothing: without the engine it leaves a check that fails wherever ours would have run.
"""

from __future__ import annotations

import logging
import re
from fnmatch import fnmatch
from typing import Any

from checkov.common.bridgecrew.integration_features.integration_feature_registry import (
    integration_feature_registry,
)
from checkov.common.bridgecrew.severities import Severities
from checkov.common.checks_infra.registry import get_graph_checks_registry
from checkov.common.graph.checks_infra.base_check import BaseGraphCheck
from checkov.runner_filter import RunnerFilter

SENTINEL = "CKV_IAMP_SCAN_000"
RECORDED = ("resource", "data", "module", "provider")


class Alarm(BaseGraphCheck):  # type: ignore[misc]  # checkov has no types here
    """Fails on one block of every graph: nothing has been judged."""

    def __init__(self, check_id: str, reason: str) -> None:
        super().__init__()
        self.id = check_id
        self.name = f"IAM Preflight could analyse everything; it could not: {reason}"
        self.category = "IAM"
        self.severity = Severities["CRITICAL"]

    def run(self, graph_connector: Any) -> tuple[list[Any], list[Any], list[Any]]:
        is_rustworkx = hasattr(graph_connector, "node_indexes")
        nodes = graph_connector.nodes() if is_rustworkx else graph_connector.nodes(data=True)
        vertices: list[dict[str, Any]] = [attributes for _, attributes in nodes]
        for kind in RECORDED:
            of_kind = [one for one in vertices if one.get("block_type_") == kind]
            if of_kind:
                chosen = min(of_kind, key=_order)
                return [], [dict(chosen)], []
        return [], [], []


def _order(vertex: dict[str, Any]) -> tuple[bool, str, str]:
    """Blocks without a key first: checkov loses those with a dot in the key."""
    name = str(vertex.get("block_name_"))
    return "[" in name, str(vertex.get("file_path_")), name


def raise_alarm(reason: str) -> None:
    """Leaves a failing check, and more where `-c` names others of ours and not that one."""
    logging.error("IAM Preflight cannot run inside checkov: %s", reason)
    asked = getattr(integration_feature_registry.config, "check", None) or ()
    missed = [
        re.sub(r"[*?]|\[.*?\]", "0", pattern)
        for pattern in asked
        if pattern.startswith("CKV_IAMP_") and not fnmatch(SENTINEL, pattern)
    ]
    for check_id in dict.fromkeys((SENTINEL, *missed)):
        RunnerFilter.notify_external_check(check_id)
        for framework in ("terraform", "cloudformation"):
            registry = get_graph_checks_registry(framework)
            if all(check.id != check_id for check in registry.checks):
                registry.checks.append(Alarm(check_id, reason))


try:
    from iam_preflight.guest.checkov_checks import register

    register()
except Exception as error:  # noqa: BLE001  whatever it is, checkov would go on as if all were well
    raise_alarm(f"{type(error).__name__}: {error}")
