"""Send one personal mail to each person who newly enters an audience."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_smtp.destination import Smtp
from hub_smtp.settings import SmtpConfig
from hub_smtp.tokens import Token, Tokens

__all__ = ["Smtp", "SmtpConfig", "Token", "Tokens", "hub_destinations"]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    """Offer the destination ``smtp``."""
    return [Smtp]
