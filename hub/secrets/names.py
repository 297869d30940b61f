"""How a secret is called in each place."""

from __future__ import annotations

SERVICE = "audience-hub"
"""The keyring's service."""


def entry_name(client: str, connection: str, field: str) -> str:
    """Return the keyring's user name for a secret."""
    return f"{client}/{connection}/{field}"


def environment_name(client: str, connection: str, field: str) -> str:
    """Return the environment variable of a secret: ``HUB_SECRET__ACME__NEWSLETTER__API_KEY``."""
    return "__".join(("HUB_SECRET", client, connection, field)).upper().replace("-", "_")
