"""GitHub on loopback: comments, pull requests and artifacts, and faults by script.

A fault is put into `faults` and used up by the first request that it is meant for.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct

REPOSITORY = "octocat/hello"
TOKEN = "ghs_of_the_tests"
BOT = "github-actions[bot]"
DATE = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Fault:
    """Answers a request with something else."""

    method: str
    status: int = 0
    """0: no answer, the connection is lost."""
    is_done: bool = False
    """Whether the server does what was asked before it fails."""
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""
    delay: float = 0


class Request(Struct):
    method: str
    target: str
    headers: dict[str, str]
    body: Any
    status: int = 0
    answer: Any = None


class GitHub:
    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.artifacts: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        """What was asked of the API."""
        self.downloads: list[Request] = []
        """What was asked of the storage that artifacts lie on."""
        self.max_body = 65_536
        self.bot = BOT
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> GitHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def methods(self) -> Counter[str]:
        return Counter(request.method for request in self.requests)

    def bodies_of(self, login: str) -> list[str]:
        return [one["body"] for one in self.comments if one["user"]["login"] == login]

    def add_comment(self, body: str, login: str = "somebody") -> dict[str, Any]:
        number = len(self.comments) + 1
        comment = {
            "id": number,
            "node_id": f"IC_{number}",
            "url": f"{self.url}/repos/{REPOSITORY}/issues/comments/{number}",
            "html_url": f"https://github.com/{REPOSITORY}/pull/7#issuecomment-{number}",
            "issue_url": f"{self.url}/repos/{REPOSITORY}/issues/7",
            "body": body,
            "user": user(login),
            "created_at": DATE,
            "updated_at": DATE,
        }
        self.comments.append(comment)
        return comment

    def handle(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of the answer."""
        assert request.headers.get("Authorization") == f"Bearer {TOKEN}"
        parts = urllib.parse.urlsplit(request.target)
        query = dict(urllib.parse.parse_qsl(parts.query))
        path = parts.path.removeprefix(f"/repos/{REPOSITORY}")
        match request.method, path:
            case "GET", "/issues/7/comments":
                return self._page(self.comments, query)
            case "POST", "/issues/7/comments":
                if len(request.body["body"]) > self.max_body:
                    return 422, {"message": "body is too long (maximum is 65536 characters)"}, {}
                return 201, self.add_comment(request.body["body"], self.bot), {}
            case "PATCH", _ if found := re.fullmatch(r"/issues/comments/(\d+)", path):
                if len(request.body["body"]) > self.max_body:
                    return 422, {"message": "body is too long (maximum is 65536 characters)"}, {}
                comment = self.comments[int(found[1]) - 1]
                comment["body"] = request.body["body"]
                return 200, comment, {}
            case "GET", "/pulls":
                owner, _, branch = query["head"].partition(":")
                fitting = [
                    pull
                    for pull in self.pulls
                    if pull["head"]["ref"] == branch
                    and pull["head"]["repo"]["owner"]["login"] == owner
                ]
                return self._page(fitting, query)
            case "GET", "/actions/runs/55/artifacts":
                names = [name for name in self.artifacts if name == query["name"]]
                listed = [self._artifact(name) for name in names]
                return 200, {"total_count": len(listed), "artifacts": listed}, {}
            case "GET", _ if found := re.fullmatch(r"/actions/artifacts/(\d+)/zip", path):
                return 302, None, {"Location": f"{self.url}/storage/{found[1]}"}
        return 404, {"message": "Not Found"}, {}

    def _artifact(self, name: str) -> dict[str, Any]:
        number = 100 + list(self.artifacts).index(name)
        return {
            "id": number,
            "node_id": f"A_{number}",
            "name": name,
            "size_in_bytes": len(self.artifacts[name]),
            "url": f"{self.url}/artifacts/{number}",
            "archive_download_url": f"{self.url}/artifacts/{number}/zip",
            "expired": False,
            "created_at": DATE,
            "expires_at": DATE,
            "updated_at": DATE,
        }

    def _page(
        self, items: list[dict[str, Any]], query: dict[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        start = (page - 1) * size
        more = start + size < len(items)
        headers = {"Link": f'<{self.url}/elsewhere?page={page + 1}>; rel="next"'} if more else {}
        return 200, items[start : start + size], headers


def user(login: str) -> dict[str, Any]:
    urls = (
        *("avatar_url", "url", "html_url", "followers_url", "following_url", "gists_url"),
        *("starred_url", "subscriptions_url", "organizations_url", "repos_url", "events_url"),
        "received_events_url",
    )
    made: dict[str, Any] = dict.fromkeys(urls, f"https://api.github.com/users/{login}")
    kind = "Bot" if login.endswith("[bot]") else "User"
    return made | {
        "login": login,
        "id": 1,
        "node_id": "U_1",
        "gravatar_id": "",
        "type": kind,
        "site_admin": False,
    }


def _handler(github: GitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            raw = self.rfile.read(length)
            body = json.loads(raw) if raw else None
            request = Request(self.command, self.path, dict(self.headers), body)
            if self.path.startswith("/storage/"):
                github.downloads.append(request)
                index = int(self.path.rpartition("/")[2]) - 100
                self._answer(200, list(github.artifacts.values())[index], {})
                return
            fault = next((one for one in github.faults if one.method == self.command), None)
            if fault is None:
                github.requests.append(request)
                request.status, request.answer, headers = github.handle(request)
                # as it was then: the comment may change later
                request.answer = json.loads(json.dumps(request.answer))
                self._answer(request.status, json.dumps(request.answer).encode(), headers)
                return
            github.faults.remove(fault)
            github.requests.append(request)
            if fault.is_done:
                github.handle(request)
            if fault.delay:
                threading.Event().wait(fault.delay)
            if fault.status:
                text = json.dumps({"message": fault.message}).encode()
                self._answer(fault.status, text, fault.headers)
            else:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

    return Handler
