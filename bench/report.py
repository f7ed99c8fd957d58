"""What was measured, as Markdown and as an SVG plot."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.measure import Measurement

WIDTH, HEIGHT, MARGIN = 340, 240, 44
COLUMNS = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """One tool on one input."""

    subject: str
    tool: str
    result: Measurement
    has_given_up: bool = False
    """Whether it did not get through the input: its numbers say nothing."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Our own time by the size of the input."""

    name: str
    points: tuple[tuple[int, Measurement], ...]

    @property
    def exponent(self) -> float:
        """The slope of the two largest points on logarithmic scales: 1 is linear."""
        (n, slow), (m, slower) = self.points[-2:]
        return math.log(slower.cpu / slow.cpu) / math.log(m / n)


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts of one scan."""

    corpus: str
    principals: int
    graph: float
    judged: float
    peak: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything of one run."""

    machine: str
    runs: int
    load: float
    versions: Sequence[Comparison] = ()
    comparisons: Sequence[Comparison] = ()
    curves: Sequence[Curve] = field(default_factory=list)
    stage: Stage | None = None


def markdown(report: Report, picture: str) -> str:
    """The page."""
    return "\n".join(_lines(report, picture)) + "\n"


def _lines(report: Report, picture: str) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield "Made by `python -m bench`. Ratios only compare numbers of one run."
    yield ""
    yield (
        f"Machine: {report.machine}; load {report.load:.1f} when it ended. Medians of "
        f"{report.runs} runs, in which the tools take turns; one run where it takes over half a "
        "minute. Wall time depends on what else the machine does; CPU time is the steadier one, "
        "but knows nothing of work that is shared out. Memory is that of the largest "
        "process. Ratios are the tool's time over that of iam-preflight on the same input: how "
        "many times longer one waits for it, and how many times as much work it is."
    )
    yield ""
    yield "## Side by side"
    yield ""
    yield "| input | tool | wall s | CPU s | peak MB | wall ratio | CPU ratio |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    ours: dict[str, Measurement] = {}
    for one in (*report.versions, *report.comparisons):
        result, own = one.result, ours.setdefault(one.subject, one.result)
        if one.has_given_up:
            yield f"| {one.subject} | {one.tool} | gave up | | | | |"
            continue
        least = "> " if result.is_killed else ""
        yield (
            f"| {one.subject} | {one.tool} | {least}{result.wall:.2f} | {least}{result.cpu:.2f} "
            f"| {result.peak / 1e6:.0f} | {least}{result.wall / own.wall:.1f} "
            f"| {least}{result.cpu / own.cpu:.1f} |"
        )
    if report.stage is not None:
        yield from _stage_lines(report.stage)
    if report.curves:
        yield from _curve_lines(report.curves, picture)


def _stage_lines(stage: Stage) -> Iterator[str]:
    yield ""
    yield "## Parts of a scan"
    yield ""
    yield (
        f"{stage.corpus}: {stage.graph:.1f} s to read everything and join the graph, "
        f"{stage.judged:.1f} s for what each of its {stage.principals} principals may do and "
        f"become; {stage.peak / 1e6:.0f} MB."
    )


def _curve_lines(curves: Sequence[Curve], picture: str) -> Iterator[str]:
    yield ""
    yield "## How time grows"
    yield ""
    yield f"![CPU time by size of the input]({picture})"
    yield ""
    yield "Input that is marked as synthesised was made for this: regular code that nobody wrote."
    yield "The slope is that of the last two points on logarithmic scales: 1 is linear."
    yield ""
    yield "| input | size | wall s | CPU s | peak MB | CPU ms per unit | slope |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for curve in curves:
        for size, result in curve.points:
            is_last = size == curve.points[-1][0]
            slope = f"{curve.exponent:.2f}" if is_last else ""
            yield (
                f"| {curve.name} | {size:,} | {result.wall:.2f} | {result.cpu:.2f} "
                f"| {result.peak / 1e6:.0f} | {result.cpu / size * 1000:.1f} | {slope} |"
            )


# ---------------------------------------------------------------- plot


def plot(curves: Sequence[Curve]) -> str:
    """One small picture a curve, on logarithmic scales."""
    rows = math.ceil(len(curves) / COLUMNS) or 1
    width, height = COLUMNS * WIDTH, rows * HEIGHT
    inner = "".join(
        f'<g transform="translate({i % COLUMNS * WIDTH},{i // COLUMNS * HEIGHT})">{_one(c)}</g>'
        for i, c in enumerate(curves)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11" role="img">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{inner}</svg>\n'
    )


def _one(curve: Curve) -> str:
    sizes = [size for size, _ in curve.points]
    times = [result.cpu for _, result in curve.points]
    bottom, top = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))

    def x(size: float) -> float:
        return MARGIN + _share(size, sizes[0], sizes[-1]) * (WIDTH - 2 * MARGIN)

    def y(seconds: float) -> float:
        return HEIGHT - MARGIN - _share(seconds, bottom, top) * (HEIGHT - 2 * MARGIN)

    parts = [f'<text x="{MARGIN}" y="24" font-weight="bold">{curve.name}</text>']
    tick = bottom
    while tick <= top * 1.001:
        parts.append(
            f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" '
            f'stroke="#ddd"/><text x="{MARGIN - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">'
            f"{tick:g} s</text>"
        )
        tick *= 10
    line = " ".join(f"{x(s):.1f},{y(t):.1f}" for s, t in zip(sizes, times, strict=True))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#0b62c4" stroke-width="2"/>')
    for size, seconds in zip(sizes, times, strict=True):
        parts.append(
            f'<circle cx="{x(size):.1f}" cy="{y(seconds):.1f}" r="3" fill="#0b62c4">'
            f"<title>{size:,}: {seconds:.2f} s</title></circle>"
            f'<text x="{x(size):.1f}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">'
            f"{size:,}</text>"
        )
    return "".join(parts)


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others on a logarithmic scale, from 0 to 1."""
    return math.log(value / low) / math.log(high / low)
