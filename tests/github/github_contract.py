"""Requests held against GitHub's own OpenAPI description (npm `@octokit/openapi`)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

import jsonschema
from node_tools import NODE_MODULES
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

if TYPE_CHECKING:
    from github_server import Request

DESCRIPTION = NODE_MODULES / "@octokit" / "openapi" / "generated" / "api.github.com.json"

USED = tuple(f"/repos/{{owner}}/{{repo}}/{part}" for part in ("issues", "pulls", "actions"))
ADDRESS = "urn:github"


@dataclass(frozen=True)
class Contract:
    document: dict[str, Any]
    registry: Registry[Any]

    def check(self, request: Request) -> None:
        """Path, method, query and body are as described, and so is the answer of our server."""
        parts = urlsplit(request.target)
        path = next(
            (one for one in self.document["paths"] if _pattern(one).fullmatch(parts.path)), None
        )
        assert path is not None, f"GitHub has no {parts.path}"
        method = request.method.lower()
        operation = self.document["paths"][path].get(method)
        assert operation is not None, f"GitHub has no {request.method} {path}"
        self._check_query(operation, dict(parse_qsl(parts.query)))
        where = ("paths", path, method)
        self._check_body(where, operation, request)
        # pull requests have a hundred fields: the server gives the few that are read
        if request.status in (200, 201) and not path.endswith("/pulls"):
            content = ("responses", str(request.status), "content", "application/json", "schema")
            self._validate(request.answer, *where, *content)

    def _check_query(self, operation: dict[str, Any], query: dict[str, str]) -> None:
        known = {
            one["name"]: one["schema"]
            for one in map(self._resolved, operation.get("parameters", ()))
            if one["in"] == "query"
        }
        for name, text in query.items():
            assert name in known, f"there is no parameter {name}"
            value = int(text) if known[name]["type"] == "integer" else text
            jsonschema.Draft4Validator(known[name]).validate(value)

    def _check_body(
        self, where: tuple[str, ...], operation: dict[str, Any], request: Request
    ) -> None:
        described = operation.get("requestBody")
        assert (described is not None) == (request.body is not None)
        if described is not None:
            assert request.headers["Content-Type"] == "application/json"
            schema = described["content"]["application/json"]["schema"]
            assert set(request.body) <= set(schema["properties"])
            path = ("requestBody", "content", "application/json", "schema")
            self._validate(request.body, *where, *path)

    def _validate(self, value: Any, *steps: str) -> None:
        pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)
        schema = {"$ref": f"{ADDRESS}#/{quote(pointer, safe='/~')}"}
        jsonschema.Draft4Validator(schema, registry=self.registry).validate(value)

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            _, *steps = node["$ref"].split("/")
            node = self.document
            for step in steps:
                node = node[step]
        return node


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
    """The part of the description that is about what we use."""
    if not DESCRIPTION.is_file():
        return None
    whole = json.loads(DESCRIPTION.read_text("utf-8"))
    document = _nullable(
        {
            "paths": {
                path: operations
                for path, operations in whole["paths"].items()
                if path.startswith(USED)
            },
            "components": {
                kind: whole["components"][kind] for kind in ("schemas", "parameters", "responses")
            },
        }
    )
    resource = Resource(contents=document, specification=DRAFT4)
    return Contract(document, Registry().with_resource(ADDRESS, resource).crawl())
