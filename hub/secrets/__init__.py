"""Secrets: never in a file of the workspace, found in the environment, a folder of files or the system's keyring."""

from __future__ import annotations

from hub.secrets.keyring_store import delete_secret, set_secret
from hub.secrets.lookup import (
    PLACES,
    ConnectionSecrets,
    Found,
    Secrets,
    describe_places,
    find_secret,
    list_secrets,
)
from hub.secrets.names import environment_name

__all__ = [
    "PLACES",
    "ConnectionSecrets",
    "Found",
    "Secrets",
    "delete_secret",
    "describe_places",
    "environment_name",
    "find_secret",
    "list_secrets",
    "set_secret",
]
