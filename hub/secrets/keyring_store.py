"""The system's keyring."""

from __future__ import annotations

import keyring
import keyring.errors

from hub.errors import HubError
from hub.secrets.names import SERVICE, entry_name, environment_name


def read_keyring(client: str, connection: str, field: str) -> str | None:
    """Return a secret from the keyring; None where it has none, or where there is no usable keyring."""
    try:
        return keyring.get_password(SERVICE, entry_name(client, connection, field))
    except keyring.errors.KeyringError:
        return None


def set_secret(client: str, connection: str, field: str, value: str) -> None:
    """Store a secret in the keyring.

    Raises:
        HubError: this machine has no usable keyring; the message names the other two ways.
    """
    try:
        keyring.set_password(SERVICE, entry_name(client, connection, field), value)
    except keyring.errors.KeyringError as error:
        raise _unusable(client, connection, field, error) from None


def delete_secret(client: str, connection: str, field: str) -> bool:
    """Remove a secret from the keyring and tell whether there was one.

    Raises:
        HubError: this machine has no usable keyring.
    """
    if read_keyring(client, connection, field) is None:
        return False
    try:
        keyring.delete_password(SERVICE, entry_name(client, connection, field))
    except keyring.errors.KeyringError as error:
        raise _unusable(client, connection, field, error) from None
    return True


def _unusable(client: str, connection: str, field: str, error: Exception) -> HubError:
    return HubError(
        f"this machine has no usable keyring ({type(error).__name__})",
        next_step=(
            f"Set the environment variable {environment_name(client, connection, field)} instead, or set secrets_dir "
            f"in hub.toml and write the secret to <secrets_dir>/{client}/{connection}/{field}."
        ),
    )
