"""The token that opens the shop: a permanent one, or one of 24 hours that is asked for again and again.

Source of the grant: Shopify's page on the client credentials grant.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from hub import api
from hub_shopify.settings import WHO_CLICKS_WHERE, ShopConfig

_PATH = "/admin/oauth/access_token"
_ENTRY = "token"
_MARGIN = timedelta(minutes=5)
"""A token is not begun with so shortly before its end."""
_DAY = 86_400
_REFUSED = (400, 401, 403)


class Tokens:
    """Give the token to ask with; what the grant gave is remembered until shortly before it expires."""

    def __init__(self, connection: api.Connection) -> None:
        config: ShopConfig = connection.config
        self._config = config
        self._remember = connection.remember
        self._connection = connection
        self._whose = sha256(f"{config.address} {config.client_id}".encode()).hexdigest()[:16]

    @property
    def can_renew(self) -> bool:
        """Tell whether a refused token can be replaced by asking for another."""
        return self._config.client_id is not None

    def current(self, http: api.Http) -> str:
        """Return a token that is good for some minutes more."""
        if not self.can_renew:
            token = self._config.access_token
            return token.get_secret_value() if token else ""
        kept = self._remember.get(_ENTRY) or {}
        if (
            kept.get("whose") == self._whose
            and datetime.fromisoformat(kept["until"]) - _MARGIN > self._connection.clock()
        ):
            return str(kept["token"])
        return self.renew(http)

    def renew(self, http: api.Http) -> str:
        """Ask for another token.

        Raises:
            AuthError: Shopify refuses client id and secret.
        """
        secret = self._config.client_secret
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.client_id,
            "client_secret": secret.get_secret_value() if secret else "",
        }
        asked = self._connection.clock()
        # Without being asked for JSON it says why in a page of HTML.
        reply = http.post(_PATH, form=form, headers={"Accept": "application/json"}, ok=_REFUSED, reads=True)
        if reply.status in _REFUSED:
            raise api.AuthError(
                f"{self._config.store} refuses client id and secret ({reply.status}: {_said(reply)})",
                next_step=WHO_CLICKS_WHERE,
            )
        given = reply.json()
        until = asked + timedelta(seconds=float(given.get("expires_in") or _DAY))
        token = str(given["access_token"])
        self._remember.set(_ENTRY, {"token": token, "until": until.isoformat(), "whose": self._whose})
        return token


def _said(reply: api.Reply) -> str:
    """Return Shopify's word for why, such as ``invalid_client`` or ``shop_not_permitted``."""
    try:
        body = reply.json()
    except api.TransientError:
        return "no reason given"
    said = body.get("error") if isinstance(body, dict) else None
    return str(said or "no reason given")[:100]
