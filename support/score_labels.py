"""Prints how our rules do on the examples that other scanners test themselves with.

    python support/score_labels.py CORPORA                   the score, per rule of theirs
    python support/score_labels.py CORPORA --misses          each miss with what we said instead
    python support/score_labels.py CORPORA --ours LEAST-001  what one rule or family answers
    python support/score_labels.py CORPORA --theirs CKV_AWS_62 --misses
    python support/score_labels.py CORPORA --persona regular

`..` marks rules that wait for one of ours that is not installed yet, `<-` those with a miss. What
is mapped to what is in `tests/labelled/mapping.yaml`, how it is scored in `scoring.py` beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "labelled"))

from scoring import Scored, Scorer, tally


def main() -> None:
    parser = argparse.ArgumentParser(description="Score our rules on labels of other scanners.")
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--persona", default="pedantic", choices=["regular", "pedantic", "auditor"])
    parser.add_argument("--ours", default="", help="only labels that a rule or family answers")
    parser.add_argument("--theirs", default="", help="only a rule of another tool")
    parser.add_argument("--misses", action="store_true", help="show each miss")
    given = parser.parse_args()

    scorer = Scorer(given.corpora, given.persona)
    labels = scorer.labels()
    results = [
        one
        for one in scorer.score(labels)
        if any(rule.startswith(given.ours) for rule in one.meaning.ours)
        and one.label.id.startswith(given.theirs)
    ]
    ready = [one for one in results if not one.is_waiting]
    _print_rules(results)
    if given.misses:
        _print_misses([one for one in ready if not one.is_right])
    left_out = sum(1 for label in labels if scorer.why_left_out(label))
    unmapped = {label.id for label in labels if scorer.meaning(label) is None}
    fails, passes = tally(ready)
    print(f"\n{len(labels)} labels, {left_out} left out ({left_out / len(labels):.0%})")
    if unmapped:
        print("not in the mapping:", *sorted(unmapped))
    print(f"waiting for rules: {len(results) - len(ready)}")
    print(f"fail recalled {fails} = {fails.share:.1%}, pass silent {passes} = {passes.share:.1%}")


def _print_rules(results: list[Scored]) -> None:
    by_rule: dict[str, list[Scored]] = defaultdict(list)
    for one in results:
        by_rule[one.label.id].append(one)
    for rule, scored in sorted(by_rule.items(), key=lambda item: (item[1][0].meaning.ours, item)):
        fails, passes = tally(scored)
        mark = "  " if all(one.is_right for one in scored) else "<-"
        mark = ".." if any(one.is_waiting for one in scored) else mark
        ours = " ".join(scored[0].meaning.ours)
        name = scored[0].label.name[:56]
        print(f"{mark} {rule:12} fail {fails!s:6} pass {passes!s:6} {name:56}  {ours}")


def _print_misses(misses: list[Scored]) -> None:
    for one in misses:
        print(f"\n{one.label}")
        said = Counter(f"{f.rule} {f.severity} {f.primary.span}: {f.message}" for f in one.heard)
        for text in said:
            print(f"    said: {text}")
        if not said:
            print("    said: nothing")


if __name__ == "__main__":
    main()
