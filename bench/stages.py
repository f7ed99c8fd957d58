"""What the parts of one scan take, measured inside one process: `stages.py FOLDER`, as JSON.

It runs in the environment of the scanner it measures.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from iam_preflight.collector import no_collection
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions, read_graph


def main(folder: Path) -> None:
    with no_collection():
        registry = load_rules()
        started = time.perf_counter()
        graph, _ = read_graph([folder], registry, ScanOptions(), folder)
        read = time.perf_counter()
        for principal in graph.principals:
            effective = graph.effective(principal)
            _ = effective.possible, effective.administration
            graph.standing(principal)
        judged = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "principals": len(graph.principals),
                "graph": read - started,
                "judged": judged - read,
                "peak": peak,
            }
        )
    )


main(Path(sys.argv[1]))
