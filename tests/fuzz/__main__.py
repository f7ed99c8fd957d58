"""A long run: `python tests/fuzz --minutes 60 [TARGET…]`, one target after the other.

With `IAM_PREFLIGHT_CORPORA` set, real files below that folder are damaged, too. Each failure is
printed with the smallest input that shows it; the run goes on with the next target.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback

from fuzz_targets import BY_NAME, Target, run
from hypothesis import HealthCheck, given, settings

ROUND = 150


def fuzz(target: Target, seconds: float) -> tuple[int, str]:
    """How many inputs were tried in a time of the processor, and the first failure."""
    tried = 0
    until = time.process_time() + seconds

    def check(data: object) -> None:
        nonlocal tried
        tried += 1
        run(target, data)

    patient = settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    while time.process_time() < until:
        try:
            patient(given(target.inputs)(check))()
        except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
            return tried, traceback.format_exc()
    return tried, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="of processor time, in total")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(BY_NAME))
    given_options = parser.parse_args()
    chosen = [BY_NAME[name] for name in given_options.targets or BY_NAME]
    failures = 0
    for target in chosen:
        tried, failure = fuzz(target, given_options.minutes * 60 / len(chosen))
        print(f"{target.name}: {tried} inputs, {'FAILED' if failure else 'no failure'}", flush=True)
        if failure:
            failures += 1
            print(failure, flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
