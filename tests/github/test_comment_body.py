"""What the comment and the page of the job say, within their sizes, whatever a name holds."""

from __future__ import annotations

import html
import io
import re
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from markdown_reading import outside_of_code
from report_samples import CHANGED, CLEAN, FINDINGS, change, finding, report
from test_hostile import NASTY
from test_hostile import reports as hostile_reports

from iam_preflight.github import body
from iam_preflight.github.comment import LIMIT
from iam_preflight.reporters import github_report, markdown_report, model
from iam_preflight.reporters.fitting import fitted, size

MARKER = "<!-- marker -->"
FRAME = body.Frame(name="infra", run_url="https://github.com/octocat/hello/actions/runs/5")


def comment(told: model.Report, limit: int = LIMIT, frame: body.Frame = FRAME) -> str:
    return body.comment(told, frame, MARKER, limit)


# ---------------------------------------------------------------- contents


def test_comment_tells_all_there_is_about_a_change() -> None:
    text = comment(CHANGED)
    assert text.startswith(f"{MARKER}\n# ❌ IAM Preflight · infra: failed\n")
    for heading in (
        *("New ways to become an administrator", "New access", "New trust"),
        *("Ignores that the change adds", "Critical", "Fixed"),
    ):
        assert f"\n## {heading}\n" in text
    assert (
        "iam:PassRole on any role, for example `iam:PassRole` on `arn:aws:iam::111122223333:role/x`"
    ) in text
    assert "`TEST-001`: it is fine (`infra/main.tf:6:1`)" in text
    assert "| 1 | 0 | 0 | 0 | 0 |" in text
    assert "1 fixed" in text
    assert "2 principals, 3 policies: 2 resolved, 1 partly, 0 not" in text
    assert text.rstrip().endswith(f"[Details of the run]({FRAME.run_url})")


def test_comment_draws_the_new_path() -> None:
    picture = re.search(r"  ```mermaid\n(.*?)  ```", comment(CHANGED), re.DOTALL)
    assert picture is not None
    assert [line.strip() for line in picture[1].splitlines()] == [
        "flowchart LR",
        'n0["aws_iam_role.ci"] --> n1',
        'n1["role ci passes #34;admin#34; to a new function"] --> n2',
        'n2(["administrator"])',
    ]


def test_comment_turns_green() -> None:
    assert "# ✅ IAM Preflight · infra: passed" in comment(CLEAN)
    assert "# ⚠️" in comment(report(verdict="not-analysed"))


def test_comment_names_the_branch_and_the_commit() -> None:
    from iam_preflight.github.context import PullRequest, Side

    pull = PullRequest(7, head=Side("b" * 40), base=Side("a" * 40, "main"))
    text = comment(body.with_names(CHANGED, pull))
    assert "From `main (aaaaaaa)` to `bbbbbbb`." in text


@pytest.mark.parametrize(
    ("told", "is_worth"),
    [
        (CLEAN, False),
        (FINDINGS, True),
        (CHANGED, True),
        (report(verdict="not-analysed"), True),
        (report(verdict="nothing-to-scan"), True),
        (report(change=change()), False),
        (report(change=change(fixed=(finding(),))), True),
    ],
)
def test_comment_is_begun_only_when_there_is_something_to_say(
    told: model.Report, is_worth: bool
) -> None:
    assert body.is_worth_a_comment(told) is is_worth


def test_report_of_a_fork_is_called_one() -> None:
    frame = body.Frame(is_secondhand=True)
    assert "Reported by the workflow of the pull request itself" in comment(CLEAN, frame=frame)
    assert "Reported by" not in comment(CLEAN)


# ---------------------------------------------------------------- sizes


def padded(told: model.Report, missing: int) -> model.Report:
    """The report with so many bytes more in its last finding's message."""
    *others, last = told.findings
    longer = msgspec.structs.replace(last, message=last.message + "x" * missing)
    return msgspec.structs.replace(told, findings=(*others, longer))


def many(count: int) -> model.Report:
    return report(*(finding(number, hint="h" * 200) for number in range(1, count + 1)))


def is_whole(text: str, told: model.Report) -> bool:
    return all(one.message in text for one in told.findings) and "left out here" not in text


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("limit", [LIMIT, body.SUMMARY_LIMIT])
def test_size_is_kept_to_the_byte(limit: int, over: int) -> None:
    def text_of(told: model.Report) -> str:
        return comment(told, limit) if limit == LIMIT else body.summary(told, FRAME)

    base = many(limit // 500)
    missing = limit + over - size(text_of(base))
    assert missing > 0
    told = padded(base, missing)
    text = text_of(told)
    assert size(text) <= limit
    assert is_whole(text, told) is (over <= 0)
    if over <= 0:
        assert size(text) == limit + over


@pytest.mark.parametrize("limit", [3_000, 10_000, LIMIT])
def test_cut_is_between_findings(limit: int) -> None:
    told = many(400)
    text = comment(told, limit)
    assert size(text) <= limit
    items = [
        item
        for section in markdown_report.parts(told, model.Options()).sections
        for item in section.items
    ]
    kept = [item for item in items if item in text]
    assert kept == items[: len(kept)]
    # nothing of any other is there
    assert text.count("**HIGH**") == len(kept)
    assert f"*{len(items) - len(kept)} left out here" not in text
    left = re.search(r"\*(\d+) more left out here: see the \[run\]", text)
    assert left is not None
    assert int(left[1]) + len(kept) == len(items)


def test_no_section_crowds_out_the_others() -> None:
    access = tuple(
        msgspec.structs.replace(CHANGED.change.access[0], message=f"access {number} {'y' * 300}")
        for number in range(2_000)
    )
    told = report(*many(30).findings, change=change(access=access))
    text = comment(told)
    assert size(text) <= LIMIT
    assert text.count("**HIGH**") == 30
    assert text.count("- access ") > 50


def test_what_is_not_ascii_counts_in_bytes() -> None:
    told = report(*(finding(number, message="é" * 500) for number in range(200)))
    assert size(comment(told)) <= LIMIT < len(comment(told)) * 2


def test_head_alone_is_cut_when_nothing_else_fits() -> None:
    parts = markdown_report.Parts("h" * 50, (markdown_report.Section("s", ("i\n",)),), "t" * 50)
    assert size(fitted(parts, 60, where="it")) == 60


@pytest.mark.parametrize(("severity", "level"), [("high", "error"), ("medium", "warning")])
@pytest.mark.parametrize("count", [9, 10, 11])
def test_annotations_stop_at_ten(severity: model.SeverityName, level: str, count: int) -> None:
    told = report(*(finding(number, severity) for number in range(count)))
    stream = io.StringIO()
    github_report.write(told, stream, model.Options())
    lines = stream.getvalue().splitlines()
    kinds = Counter(line.split("::")[1].split(" ")[0] for line in lines)
    assert kinds[level] == min(count, 10)
    assert kinds["notice"] == (1 if count > 10 else 0)
    if count > 10:
        assert lines[-1].endswith(f"{count - 10} more findings: see the report")


# ---------------------------------------------------------------- hostile text


@settings(max_examples=80)
@given(hostile_reports)
def test_comment_has_no_markup_but_ours(told: model.Report) -> None:
    text = comment(told).encode("utf-8", "replace").decode()
    assert text.startswith(f"{MARKER}\n")
    shown = outside_of_code(text[len(MARKER) :])
    shown = shown.replace(f"({FRAME.run_url})", "")
    assert "<" not in shown
    assert "](" not in shown.replace("[Details of the run]", "").replace("the [run]", "")
    assert "![" not in shown
    assert re.search(r"@\w|(?<!&)#\d|://", shown) is None
    assert not set(text) & set("\x00\x1b\u202e\u2066\u200b\ufeff")


@settings(max_examples=80)
@given(hostile_reports)
def test_size_is_kept_whatever_is_told(told: model.Report) -> None:
    assert size(comment(told, 1_500)) <= 1_500


@pytest.mark.parametrize("name", NASTY)
def test_picture_holds_nothing_but_text(name: str) -> None:
    path = msgspec.structs.replace(
        CHANGED.change.paths[0],
        address=name,
        steps=(msgspec.structs.replace(CHANGED.change.paths[0].steps[0], label=name * 9),),
    )
    told = report(change=change(paths=(path,)))
    picture = re.search(r"(?s)  ```mermaid\n(.*?)\n  ```\n", comment(told))
    assert picture is not None
    for line in picture[1].splitlines():
        assert re.fullmatch(
            r'  (flowchart LR|  n\d\["([A-Za-z0-9 .,_/-]|#\d+;)*"\] --> n\d'
            r'|  n\d\(\["administrator"\]\))',
            line,
        )


@pytest.mark.parametrize("name", NASTY)
def test_name_of_a_job_is_text(name: str) -> None:
    title = comment(CLEAN, frame=body.Frame(name=name)).splitlines()[1]
    assert title.endswith(": passed")
    assert html.unescape(title).count("<") == name.count("<")
    assert "<" not in title
