"""The HTTP client a plugin is handed: rate limit, retry, redaction and error classes are already in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol


class Reply(Protocol):
    """What the other side answered."""

    status: int
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the decoded body. Raises TransientError where the body is not JSON."""

    def text(self) -> str:
        """Return the body as text."""

    def lines(self) -> Iterator[bytes]:
        """Yield the body line by line, without line ends."""


class Http(Protocol):
    """Send requests relative to the connection's base address.

    Status codes become errors: 401 and 403 AuthError, 408, 429 and 5xx TransientError (with ``retry_after``),
    other 4xx RejectedError, unless listed in ``ok`` or judged otherwise by the plugin's ``classify``.
    A TransientError of a request that is safe to repeat is retried before it is raised.
    """

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (),
    ) -> Reply:
        """Read; counted as a read."""

    def post(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (),
        reads: bool = False,
    ) -> Reply:
        """Write; counted as a write call unless ``reads`` (a query that the vendor wants posted)."""

    def put(
        self, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None, ok: tuple[int, ...] = ()
    ) -> Reply:
        """Write."""

    def patch(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (),
    ) -> Reply:
        """Write."""

    def delete(
        self, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None, ok: tuple[int, ...] = ()
    ) -> Reply:
        """Write."""

    def download(self, url: str) -> AbstractContextManager[Iterator[bytes]]:
        """Stream an absolute address line by line, without the connection's credentials."""

    def save(self, url: str, path: Path) -> None:
        """Fetch an absolute address into a file, without the connection's credentials.

        A file that is there already is the beginning of it and is continued, so that a large one that broke off is
        not fetched anew; remove it to begin again. Counted as a read, and retried like one.
        """

    def close(self) -> None:
        """Close the sockets; hub does it for what ``client()`` returned, a plugin for what else it connected."""


Connect = Callable[..., Http]
"""Make the client: ``connect(base_url=…, headers={…})``; headers are never logged."""
