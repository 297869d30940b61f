"""Lend connections what they speak to the outside with: a client with their pace, retries and redaction in it."""

from __future__ import annotations

import logging
from typing import Any

from hub.api import Connection
from hub.http import Limiter, connect_factory
from hub.sync.surroundings import Surroundings

_log = logging.getLogger(__name__)


def open_line(connection: Connection, around: Surroundings, *, used: int) -> Limiter:
    """Give a connection the run's clock and its HTTP client, if it speaks HTTP; return the limiter of its calls.

    ``used`` is how many calls of the day's quota are used up.
    """
    rate = getattr(getattr(connection, "can", None), "rate", None) or connection.rate
    limiter = Limiter(rate, used=used, monotonic=around.monotonic, sleep=around.sleep)
    connect = connect_factory(
        connection, limiter, secrets=_secrets(connection.config), clock=around.clock, sleep=around.sleep
    )
    connection.clock = around.clock
    connection._http = connection.client(connect)  # noqa: SLF001 - hub's own part of a connection
    return limiter


def close_line(connection: Connection) -> None:
    """Close a connection and its client; a plugin that breaks at its end changes nothing of what was done."""
    try:
        connection.close()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # the plugin's fault, and the work is done
        _log.debug("closing %s failed", connection.connection, exc_info=error)
    finally:
        close = getattr(connection._http, "close", None)  # noqa: SLF001 - hub's own part of a connection
        if close is not None:
            close()


def _secrets(config: Any) -> list[str]:
    values = (getattr(config, name) for name in type(config).model_fields)
    return [value.get_secret_value() for value in values if hasattr(value, "get_secret_value")]
