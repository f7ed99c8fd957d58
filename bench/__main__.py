"""Measures scanners side by side in one run, and how the time grows with the input.

    python -m bench CORPUS… [--curves CORPUS] [--runs 3] [-o docs/benchmarks.md]

Writes Markdown, and an SVG plot of the curves beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import synthesis
from bench.measure import Measurement, measure, run_once
from bench.report import Comparison, Curve, Report, Stage, markdown, plot
from bench.tools import TOOLS, Environments, formats_of, quiet_environment

COPIES = (1, 2, 4, 8)
RESOURCES = (10, 100, 1_000, 10_000)
PRINCIPALS = (10, 100, 500, 1_000, 2_000)
PLAN_MEGABYTES = (1, 10, 50)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("corpora", nargs="*", type=Path, help="folders to scan with every tool")
    parser.add_argument("--tools", default="", help="only tools whose name has one of these words")
    parser.add_argument("--curves", type=Path, help="a corpus to copy; also runs the other curves")
    parser.add_argument("--stages", type=Path, help="a corpus to measure the parts of a scan on")
    parser.add_argument("--quick", action="store_true", help="without each curve's largest input")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is taken")
    parser.add_argument("--limit", type=float, default=1200, help="seconds before a run is killed")
    parser.add_argument("--work", type=Path, help="where the tools' environments are kept")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/benchmarks.md"))
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    work = arguments.work or Path(tempfile.gettempdir()) / "iam-preflight-bench"
    bench = _Bench(Environments(work), arguments)
    report = Report(
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}",
        runs=arguments.runs,
        load=os.getloadavg()[0],
        versions=bench.versions(),
        comparisons=[one for folder in arguments.corpora for one in bench.compare(folder)],
        curves=bench.curves(arguments.curves) if arguments.curves else [],
        stage=bench.stages(arguments.stages) if arguments.stages else None,
    )
    picture = arguments.output.with_suffix(".svg")
    picture.write_text(plot(report.curves))
    arguments.output.write_text(markdown(report, picture.name))


class _Bench:
    def __init__(self, environments: Environments, arguments: argparse.Namespace) -> None:
        words = [word for word in arguments.tools.split(",") if word]
        chosen = (t for t in TOOLS if not words or any(word in t.name for word in words))
        self.tools = list(chosen)
        self.environments = environments
        self.runs: int = arguments.runs
        self.limit: float = arguments.limit
        self.is_quick: bool = arguments.quick

    def _measure(self, *commands: list[str]) -> list[Measurement]:
        return measure(commands, quiet_environment(), runs=self.runs, limit=self.limit)

    def versions(self) -> list[Comparison]:
        """The start-up of every tool: what `--version` takes, after one run for the caches."""
        commands: dict[str, list[str]] = {}
        for tool in self.tools:
            name = tool.name.partition(",")[0]
            if name not in commands:
                commands[name] = tool.version(self.environments.of(tool))
                run_once(commands[name], quiet_environment(), self.limit)
        results = self._measure(*commands.values())
        return [
            Comparison("--version", name, result)
            for name, result in zip(commands, results, strict=True)
        ]

    def compare(self, folder: Path) -> list[Comparison]:
        formats = formats_of(folder)
        tools = [tool for tool in self.tools if tool.formats & formats]
        commands = [tool.command(self.environments.of(tool), folder) for tool in tools]
        print(f"{folder.name}: {', '.join(tool.name for tool in tools)}", file=sys.stderr)
        return [
            Comparison(folder.name, tool.name, result, not tool.gives_up.isdisjoint(result.codes))
            for tool, result in zip(tools, self._measure(*commands), strict=True)
        ]

    def curves(self, corpus: Path) -> list[Curve]:
        """How our own time grows."""

        def copied(target: Path, count: int) -> None:
            synthesis.copies(corpus, target, count)

        def planned(target: Path, megabytes: int) -> None:
            synthesis.plan(target, megabytes * 1_000_000)

        series = (
            (f"copies of {corpus.name}", COPIES, copied),
            ("resources in one root (synthesised)", RESOURCES, synthesis.resources),
            ("principals in one graph (synthesised)", PRINCIPALS, synthesis.principals),
            ("megabytes of plan JSON (synthesised)", PLAN_MEGABYTES, planned),
        )
        ours = TOOLS[0]
        home = self.environments.of(ours)
        curves: list[Curve] = []
        for name, sizes, make in series:
            points: list[tuple[int, Measurement]] = []
            for size in sizes[:-1] if self.is_quick else sizes:
                print(f"{size} {name}", file=sys.stderr)
                folder = Path(tempfile.mkdtemp())
                try:
                    make(folder / "input", size)
                    (result,) = self._measure(ours.command(home, folder / "input"))
                    points.append((size, result))
                finally:
                    shutil.rmtree(folder)
            curves.append(Curve(name, tuple(points)))
        return curves

    def stages(self, corpus: Path) -> Stage:
        python = self.environments.of(TOOLS[0]) / "bin" / "python"
        script = Path(__file__).with_name("stages.py")
        found = subprocess.run(
            [str(python), str(script), str(corpus)], check=True, capture_output=True, text=True
        )
        return Stage(corpus.name, **json.loads(found.stdout))


if __name__ == "__main__":
    main()
