"""Minified templates: everything stands on one line, and every finding shows a part of it."""

from __future__ import annotations

import json

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.reporters import excerpts
from iam_preflight.testing import scan_files

SECRET = "kX8v" * 10


@pytest.fixture
def masked(monkeypatch):
    texts = []
    whole = excerpts.without_secrets

    def counted(text):
        texts.append(text)
        return whole(text)

    monkeypatch.setattr(excerpts, "without_secrets", counted)
    excerpts._shown.cache_clear()
    yield texts
    excerpts._shown.cache_clear()


def test_a_long_line_is_searched_for_secrets_once(masked):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Sid": SECRET}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    template = json.dumps({"Resources": {f"P{number}": policy for number in range(20)}})
    report = scan_files({"template.json": template}, load_rules().select(["LEAST-001"], ()))
    found = list(report.shown)
    assert len(found) == 20
    shown = [excerpts.excerpts_of([(f.primary.span, "", "primary")]) for f in found]
    assert masked == [template]
    assert len({excerpt.lines[0].start for [excerpt] in shown}) == 20
    assert not any(SECRET in line.text for [excerpt] in shown for line in excerpt.lines)
