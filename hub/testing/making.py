"""Make a plugin's connection the way hub does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from hub.api import Connection, Endpoint, Shop
from hub.config.validate import is_secret
from hub.http import Limiter, connect_factory

ConnectionT = TypeVar("ConnectionT", bound=Connection)


class Notes:
    """A connection's memory that lives as long as the test; like the real one it keeps JSON only."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def get(self, key: str) -> Any:
        """Return what was stored, or None."""
        return json.loads(self._kept[key]) if key in self._kept else None

    def set(self, key: str, value: Any) -> None:
        """Store a value at once."""
        self._kept[key] = json.dumps(value)


def make_connection(
    plugin: type[ConnectionT],
    settings: Mapping[str, Any],
    workspace: Path,
    *,
    remember: Notes | None = None,
    address: str | None = None,
    secrets: Mapping[str, str] | None = None,
) -> ConnectionT:
    """Make a source or destination of the client ``acme`` in a workspace.

    ``address`` replaces every setting that is an ``Endpoint``, as ``--sandbox`` does; ``secrets`` are values for the
    settings that are secrets.
    """
    given = dict(settings)
    for name, field in plugin.Config.model_fields.items():
        if is_secret(field.annotation) and name in (secrets or {}) and name not in given:
            given[name] = (secrets or {})[name]
        if address is not None and _is_address(field.annotation):
            given[name] = address
    cache = workspace / ".hub" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    made = plugin(
        connection="conformance",
        config=plugin.Config.model_validate(given),
        shop=Shop("acme", "Acme Shoes", "Europe/Copenhagen", "DK", "DKK", workspace, cache),
        remember=remember or Notes(),
    )
    rate = getattr(getattr(made, "can", None), "rate", None) or made.rate
    made._http = made.client(connect_factory(made, Limiter(rate)))  # noqa: SLF001 - hub's own part of a connection
    return made


def writes(connection: Connection) -> int:
    """Return how many write calls a connection made; 0 for one that speaks no HTTP."""
    try:
        return int(getattr(connection.http, "writes", 0))
    except RuntimeError:
        return 0


def _is_address(annotation: Any) -> bool:
    return annotation is Endpoint or Endpoint in getattr(annotation, "__args__", ())
