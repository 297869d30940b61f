"""Trade a service account's key for an access token, by Google's own library over hub's HTTP client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hub import api

if TYPE_CHECKING:
    from google.auth import transport

GOOGLES = "https://oauth2.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"


class _Answer:
    """What Google's library takes for an answer."""

    def __init__(self, reply: api.Reply) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.data = reply.text().encode()


class _Requests:
    """Send what Google's library wants sent; hub's client limits, retries and masks."""

    def __init__(self, http: api.Http) -> None:
        self._http = http

    def __call__(
        self,
        url: str,
        method: str = "GET",  # noqa: ARG002 - the library only posts here
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - hub's client has its own
        **_others: Any,
    ) -> transport.Response:
        reply = self._http.post(urlsplit(url).path, content=body, headers=headers, ok=(400, 401, 403, 404), reads=True)
        return _Answer(reply)  # type: ignore[return-value]


def token_host(key: str) -> str:
    """Return the address that trades a service account's key; Google's own where the key cannot be read."""
    try:
        parts = urlsplit(str(_information(key)["token_uri"]))
    except api.AuthError:
        return GOOGLES
    return f"{parts.scheme}://{parts.netloc}"


class GoogleToken:
    """An access token that may read storage, renewed before it ends.

    Raises:
        SourceError: google-auth is not installed.
        AuthError: this is no service account's key.
    """

    def __init__(self, key: str, http: api.Http) -> None:
        try:
            from google.oauth2 import service_account  # noqa: PLC0415 - an extra
        except ImportError:
            raise api.SourceError(
                "a service account's key needs the package google-auth, which is not installed",
                next_step="Run `pip install 'audience-hub[gcs]'`.",
            ) from None
        self._requests = _Requests(http)
        known = service_account.Credentials
        try:
            self._credentials = known.from_service_account_info(  # type: ignore[no-untyped-call]
                _information(key), scopes=[SCOPE]
            )
        except ValueError as error:
            raise _refused(type(error).__name__) from None

    def current(self) -> tuple[str, datetime]:
        """Return the token, and when it ends.

        Raises:
            AuthError: Google refuses the key.
        """
        from google.auth import exceptions  # noqa: PLC0415 - an extra

        if not self._credentials.valid:
            try:
                self._credentials.refresh(self._requests)
            except exceptions.GoogleAuthError as error:
                raise _refused(type(error).__name__) from None
        return str(self._credentials.token), self._credentials.expiry.replace(tzinfo=UTC)


def _information(key: str) -> dict[str, Any]:
    try:
        told = json.loads(key)
    except ValueError:
        raise _refused("it is not JSON") from None
    if not isinstance(told, dict) or told.get("type") != "service_account" or "token_uri" not in told:
        raise _refused("it is not the JSON key of a service account")
    return told


def _refused(why: str) -> api.AuthError:
    return api.AuthError(
        f"the service account's key cannot be used ({why})",
        next_step="Google Cloud console > IAM > Service accounts > Keys: make a JSON key and store all of its text as "
        "the secret service_account.",
    )
