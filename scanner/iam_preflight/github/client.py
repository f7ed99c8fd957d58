"""GitHub's REST API, as far as publishing needs it: patient, bounded, and honest about failures.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
The standard library's HTTP is enough for four endpoints, heeds proxies and the machine's own
certificates (GitHub Enterprise Server), and keeps the action's locked dependencies few.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from msgspec import Struct

from iam_preflight import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from email.message import Message

TIMEOUT = 20.0
MAX_TRIES = 4
PATIENCE = 90.0
"""Seconds that all waiting of a run may take: a job must not hang on a comment."""
SECONDARY_WAIT = 60.0
"""Where GitHub does not say how long to wait, it asks for a minute at least."""
MAX_ANSWER = 16 << 20
PAGE = 100
MAX_PAGES = 50
API_VERSION = "2022-11-28"
_LOST = (http.client.HTTPException, OSError)


class ApiError(Exception):
    """A request that did not do what it was for; the text is for people."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class UnsureError(ApiError):
    """Nobody knows whether the server did it: the connection was lost, or it failed midway."""


class Answer(Struct, frozen=True):
    """What the server said."""

    status: int
    headers: Message
    body: bytes

    def data(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ApiError("the server's answer is not JSON", self.status) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: the token must not follow it to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(slots=True)
class Client:
    """Talks to one server with one token."""

    api_url: str
    token: str = field(repr=False)
    pause: Callable[[float], None] = time.sleep
    patience: float = PATIENCE
    """Seconds of waiting that are left."""

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        """The items of a list, page after page."""
        for page in range(1, MAX_PAGES + 1):
            answer = self.get(path, per_page=PAGE, page=page, **query)
            items = answer.data()
            if not isinstance(items, list):
                raise ApiError("the server's answer is not a list", answer.status)
            yield from items
            if 'rel="next"' not in str(answer.headers.get("Link", "")) and len(items) < PAGE:
                return
            if not items:
                return
        raise ApiError(f"there are more than {MAX_PAGES} pages")

    def get(self, path: str, **query: str | int) -> Answer:
        return self._patiently("GET", f"{path}?{urlencode(query)}" if query else path)

    def change(self, path: str, data: Mapping[str, Any]) -> Answer:
        """PATCH: doing it twice is doing it once."""
        return self._patiently("PATCH", path, data)

    def create(self, path: str, data: Mapping[str, Any]) -> Answer:
        """POST: tried again only when the server is known not to have done it.

        Raises `UnsureError` when it may have.
        """
        return self._patiently("POST", path, data, is_repeatable=False)

    def location(self, path: str) -> str:
        """Where a redirect leads to."""
        answer = self._patiently("GET", path, is_redirect_fine=True)
        return str(answer.headers.get("Location", ""))

    def download(self, url: str, limit: int) -> bytes:
        """A file from wherever the server sent us: without the token, https only, bounded."""
        if not url.startswith("https://") and not url.startswith(self.api_url):
            raise ApiError("the server sends us to an address that is not https")
        request = urllib.request.Request(url, headers={"User-Agent": _agent()})  # noqa: S310
        answer = self._once(request, limit)
        if answer.status != 200:
            raise ApiError(f"the file is not there: {answer.status}", answer.status)
        return answer.body

    def _patiently(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any] | None = None,
        *,
        is_repeatable: bool = True,
        is_redirect_fine: bool = False,
    ) -> Answer:
        request = self._request(method, path, data)
        for attempt in range(1, MAX_TRIES + 1):
            is_last = attempt == MAX_TRIES
            try:
                answer = self._once(request, MAX_ANSWER)
            except UnsureError:
                if not is_repeatable or is_last or not self._waited(2.0**attempt):
                    raise
                continue
            if answer.status < 300 or (answer.status < 400 and is_redirect_fine):
                return answer
            wait = _wait(answer)
            if wait is not None and not is_last and self._waited(wait):
                continue
            if answer.status < 500:
                raise ApiError(_reason(answer), answer.status)
            if not is_repeatable:
                raise UnsureError(_reason(answer), answer.status)
            if is_last or not self._waited(2.0**attempt):
                raise ApiError(_reason(answer), answer.status)
        raise AssertionError("the last try returns or raises")

    def _waited(self, seconds: float) -> bool:
        """Waits, unless it would take too long."""
        if seconds > self.patience:
            return False
        self.patience -= seconds
        self.pause(seconds)
        return True

    def _request(
        self, method: str, path: str, data: Mapping[str, Any] | None
    ) -> urllib.request.Request:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "User-Agent": _agent(),
            "X-GitHub-Api-Version": API_VERSION,
        }
        body = None
        if data is not None:
            body = json.dumps(data).encode("ascii")
            headers["Content-Type"] = "application/json"
        return urllib.request.Request(  # noqa: S310  the scheme is checked where the URL is read
            f"{self.api_url}{path}", data=body, headers=headers, method=method
        )

    def _once(self, request: urllib.request.Request, limit: int) -> Answer:
        opener = urllib.request.build_opener(_NoRedirect())
        try:
            try:
                response = opener.open(request, timeout=TIMEOUT)
            except urllib.error.HTTPError as refused:
                response = refused
            with response:
                body = response.read(limit + 1)
        except urllib.error.URLError as fault:
            raise UnsureError(f"the server cannot be reached: {fault.reason}") from None
        except _LOST as fault:
            raise UnsureError(f"the connection was lost: {fault or type(fault).__name__}") from None
        if len(body) > limit:
            raise ApiError(f"the answer is larger than {limit} bytes")
        return Answer(response.status, response.headers, body)


def _agent() -> str:
    return f"iam-preflight/{__version__}"


def _wait(answer: Answer) -> float | None:
    """How long the server wants us to wait; None when it is not about a rate limit.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if answer.status not in (403, 429):
        return None
    after = str(answer.headers.get("Retry-After", ""))
    if after.isdecimal():
        return float(after)
    if answer.headers.get("X-RateLimit-Remaining") == "0":
        reset = str(answer.headers.get("X-RateLimit-Reset", ""))
        return max(1.0, float(reset) - time.time()) if reset.isdecimal() else SECONDARY_WAIT
    is_secondary = answer.status == 429 or b"secondary rate limit" in answer.body
    return SECONDARY_WAIT if is_secondary else None


def _reason(answer: Answer) -> str:
    """The status, and what GitHub says about it."""
    try:
        said = json.loads(answer.body).get("message", "")
    except (ValueError, AttributeError, RecursionError):
        said = ""
    return f"{answer.status} {str(said)[:200]}".strip()
