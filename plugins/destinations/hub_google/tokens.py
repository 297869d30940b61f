"""Access tokens, by Google's own library over hub's HTTP client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub import api

if TYPE_CHECKING:
    from google.auth import transport

SCOPE = "https://www.googleapis.com/auth/datamanager"
_PATH = "/token"
_KINDS = ("service_account", "authorized_user")
_STEP = (
    "Google Cloud console > IAM > Service accounts > Keys: make a JSON key, store all of its text as the secret "
    "`credentials`, and add the account's e-mail as a user of the Google Ads account."
)


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
        url: str,  # noqa: ARG002 - the settings say where tokens are given
        method: str = "POST",  # noqa: ARG002 - the library only posts here
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - hub's client has its own
        **_others: Any,
    ) -> transport.Response:
        reply = self._http.post(_PATH, content=body, headers=headers, ok=(400, 401, 403, 404), reads=True)
        return _Answer(reply)  # type: ignore[return-value]


class Tokens:
    """An access token for the Data Manager API, asked for when it is first needed and renewed before it ends.

    Raises:
        ConfigError: google-auth is not installed.
        AuthError: this is no key that can be used.
    """

    def __init__(self, key: str, http: api.Http) -> None:
        self._requests = _Requests(http)
        self._credentials = _credentials(key)

    def current(self) -> str:
        """Return a token that is good for some minutes more.

        Raises:
            AuthError: Google refuses the key.
        """
        if not self._credentials.valid:
            self.renew()
        return str(self._credentials.token)

    def renew(self) -> None:
        """Ask for another token, whatever the one at hand says about itself."""
        from google.auth import exceptions  # noqa: PLC0415 - an extra

        try:
            self._credentials.refresh(self._requests)
        except exceptions.GoogleAuthError as error:
            # The message may show the answer; its kind says enough.
            raise _refused(type(error).__name__) from None


def _credentials(key: str) -> Any:
    try:
        from google.oauth2 import credentials, service_account  # noqa: PLC0415 - an extra
    except ImportError:
        raise api.ConfigError(
            "Google's access tokens need the package google-auth, which is not installed",
            next_step="Run `pip install 'audience-hub[google]'`.",
        ) from None
    told = _information(key)
    maker: Any = (
        service_account.Credentials.from_service_account_info
        if told["type"] == "service_account"
        else credentials.Credentials.from_authorized_user_info
    )
    try:
        return maker(told, scopes=[SCOPE])
    except ValueError as error:
        raise _refused(type(error).__name__) from None


def _information(key: str) -> dict[str, Any]:
    try:
        told = json.loads(key)
    except ValueError:
        raise _refused("they are not JSON") from None
    if not isinstance(told, dict) or told.get("type") not in _KINDS:
        raise _refused("they are neither the JSON key of a service account nor of an authorized user")
    return told


def _refused(why: str) -> api.AuthError:
    return api.AuthError(f"the credentials cannot be used ({why})", next_step=_STEP)
