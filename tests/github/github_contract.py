"""Requests held against GitHub's own OpenAPI description (npm `@octokit/openapi`)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema
from node_tools import NODE_MODULES

if TYPE_CHECKING:
    from github_server import Request

DESCRIPTION = NODE_MODULES / "@octokit" / "openapi" / "generated" / "api.github.com.json"


@dataclass(frozen=True)
class Contract:
    document: dict[str, Any]

    def check(self, request: Request) -> None:
        """Path, method, query and body are as described, and so is the answer of our server."""
        parts = urlsplit(request.target)
        path = next(
            (one for one in self.document["paths"] if _pattern(one).fullmatch(parts.path)), None
        )
        assert path is not None, f"GitHub has no {parts.path}"
        operation = self.document["paths"][path].get(request.method.lower())
        assert operation is not None, f"GitHub has no {request.method} {path}"
        self._check_query(operation, dict(parse_qsl(parts.query)))
        self._check_body(operation, request)
        if request.status in (200, 201):
            content = self._resolved(operation["responses"][str(request.status)])["content"]
            self._validate(request.answer, content["application/json"]["schema"])

    def _check_query(self, operation: dict[str, Any], query: dict[str, str]) -> None:
        known = {
            one["name"]: one["schema"]
            for one in map(self._resolved, operation.get("parameters", ()))
            if one["in"] == "query"
        }
        for name, text in query.items():
            assert name in known, f"there is no parameter {name}"
            value = int(text) if known[name]["type"] == "integer" else text
            self._validate(value, known[name])

    def _check_body(self, operation: dict[str, Any], request: Request) -> None:
        described = operation.get("requestBody")
        assert (described is not None) == (request.body is not None)
        if described is not None:
            assert request.headers["Content-Type"] == "application/json"
            schema = described["content"]["application/json"]["schema"]
            assert set(request.body) <= set(schema["properties"])
            self._validate(request.body, schema)

    def _validate(self, value: Any, schema: dict[str, Any]) -> None:
        whole = {**_nullable(schema), "components": self.document["components"]}
        jsonschema.Draft4Validator(whole).validate(value)

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            _, *steps = node["$ref"].split("/")
            node = self.document
            for step in steps:
                node = node[step]
        return node

    def example(self, name: str) -> Any:
        return json.loads(json.dumps(self.document["components"]["examples"][name]["value"]))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\?\{[^}]*\\?\}", "[^/]+", path))


def _nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` as JSON Schema has it."""
    if isinstance(node, list):
        return [_nullable(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _nullable(value) for key, value in node.items()}
    if made.pop("nullable", False) is True:
        return {"anyOf": [{"type": "null"}, made]}
    return made


def load_contract() -> Contract | None:
    if not DESCRIPTION.is_file():
        return None
    document = json.loads(DESCRIPTION.read_text("utf-8"))
    kept = _nullable(document["components"]["schemas"])
    return Contract({**document, "components": {**document["components"], "schemas": kept}})
