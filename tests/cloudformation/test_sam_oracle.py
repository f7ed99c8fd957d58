"""The SAM transform against the one that AWS runs.

Runs where aws-sam-translator can be imported: `pip install aws-sam-translator`.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

pytest.importorskip("samtranslator", reason="aws-sam-translator is not installed")

from sam_comparison import compare, packaged

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cloudformation" / "sam"
CORPORA = os.environ.get("IAM_PREFLIGHT_CORPORA")

REFUSED = 8
"""Templates of serverless-patterns that the transform itself does not take."""


@pytest.fixture(autouse=True)
def _region(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def template(path):
    import cfn_flip

    return packaged(json.loads(cfn_flip.to_json(path.read_text("utf-8"))))


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_fixtures_become_what_the_real_transform_makes(path):
    assert not compare(template(path))


@pytest.mark.skipif(CORPORA is None, reason="IAM_PREFLIGHT_CORPORA is not set")
def test_serverless_patterns_become_what_the_real_transform_makes():
    from samtranslator.model.exceptions import InvalidDocumentException

    differences: dict[str, list[str]] = {}
    refused = 0
    compared = 0
    for path in sorted(Path(CORPORA, "serverless-patterns").rglob("*")):
        if path.suffix not in (".yaml", ".yml", ".json", ".template"):
            continue
        if b"AWS::Serverless" not in path.read_bytes():
            continue
        try:
            parsed = template(path)
        except ValueError:
            continue  # broken on purpose or by accident: nobody reads it
        if "Resources" not in parsed:
            continue
        try:
            found = compare(parsed)
        except InvalidDocumentException:
            refused += 1
            continue
        compared += 1
        if found:
            differences[str(path)] = found
    assert not differences
    assert compared > 400
    assert refused <= REFUSED
