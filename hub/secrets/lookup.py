"""Find a secret and say where it was looked for; no message ever holds a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.errors import HubError
from hub.secrets.keyring_store import read_keyring
from hub.secrets.names import SERVICE, entry_name, environment_name

PLACES = ("environment", "file", "keyring", "stand-in")
"""The kinds of place a secret can come from."""


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, the kind of place it was found in (see ``PLACES``) and that place in words."""

    value: str = field(repr=False)
    place: str
    where: str


def find_secret(
    client: str, connection: str, field: str, *, secrets_dir: Path | None, environ: Mapping[str, str]
) -> Found | None:
    """Return a secret from the environment, else its file, else the keyring, else None.

    Raises:
        HubError: the file exists and cannot be read.
    """
    name = environment_name(client, connection, field)
    if environ.get(name):
        return Found(environ[name], "environment", f"the environment ({name})")
    if secrets_dir is not None:
        path = secrets_dir / client / connection / field
        value = _read(path)
        if value:
            return Found(value, "file", f"the file {path}")
    value = read_keyring(client, connection, field)
    if value:
        return Found(value, "keyring", f"the system keyring ({SERVICE}: {entry_name(client, connection, field)})")
    return None


def describe_places(client: str, connection: str, field: str, *, secrets_dir: Path | None) -> str:
    """Say every place that ``find_secret`` looks in, in its order."""
    file = secrets_dir / client / connection / field if secrets_dir else "none: secrets_dir is not set in hub.toml"
    return (
        f"the environment ({environment_name(client, connection, field)}), a file ({file}) "
        f"and the system keyring ({SERVICE}: {entry_name(client, connection, field)})"
    )


def list_secrets(
    client: str, wanted: Iterable[tuple[str, str]], *, secrets_dir: Path | None, environ: Mapping[str, str]
) -> list[tuple[str, str, Found | None]]:
    """Return (connection, field, what was found) for each wanted (connection, field)."""
    return [
        (connection, name, find_secret(client, connection, name, secrets_dir=secrets_dir, environ=environ))
        for connection, name in wanted
    ]


@dataclass(frozen=True, slots=True)
class ConnectionSecrets:
    """The secrets of one connection; ``stand_in`` replaces every place, as ``--sandbox`` needs it."""

    client: str
    connection: str
    secrets_dir: Path | None
    environ: Mapping[str, str] = field(repr=False)
    stand_in: Mapping[str, str] | None = field(default=None, repr=False)

    def find(self, field: str) -> Found | None:
        """Return the secret for a field, or None."""
        if self.stand_in is not None:
            value = self.stand_in.get(field)
            return Found(value, "stand-in", "the stand-in") if value else None
        return find_secret(self.client, self.connection, field, secrets_dir=self.secrets_dir, environ=self.environ)

    def tried(self, field: str) -> str:
        """Say which places a secret was looked for in."""
        if self.stand_in is not None:
            return "the stand-in's own secrets"
        return describe_places(self.client, self.connection, field, secrets_dir=self.secrets_dir)

    def command(self, field: str) -> str:
        """Return the command that stores the secret."""
        return f"hub secret set {self.client} {self.connection} {field}"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of one client."""

    client: str
    secrets_dir: Path | None
    environ: Mapping[str, str] = field(repr=False)

    def of(self, connection: str, stand_in: Mapping[str, str] | None = None) -> ConnectionSecrets:
        """Return the secrets of a connection."""
        return ConnectionSecrets(self.client, connection, self.secrets_dir, self.environ, stand_in)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise HubError(
            f"the secret's file {path} cannot be read: {reason}",
            next_step="Give the user that runs hub permission to read it, or write it again.",
        ) from None
