"""The client's own key and the keyed hash of addresses.

The hash is HMAC-SHA-256, cut to 128 bits, of ``email:…``, ``phone:…`` or ``customer:<system>:<id>``. Python and
DuckDB compute the same, so that a million addresses are hashed without a Python loop.
"""

from __future__ import annotations

import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

LENGTH = 32
"""Bytes of a key."""
_BLOCK = 64
_HEX_LENGTH = 32


def read_key(folder: Path) -> bytes | None:
    """Return the client's key as its folder has it, None where it has none."""
    try:
        return (folder / "key").read_bytes()
    except FileNotFoundError:
        return None


def load_key(folder: Path) -> bytes:
    """Read the client's key from its folder, or make one (32 random bytes, mode 0600)."""
    path = folder / "key"
    if (known := read_key(folder)) is not None:
        return known
    key = secrets.token_bytes(LENGTH)
    part = path.with_name(f"key.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return key


def fingerprint(key: bytes) -> str:
    """Return what a key is known again by, and nothing can be computed from."""
    return sha256(b"key of a client of hub" + key).hexdigest()


def keyed_hash(key: bytes, text: str) -> str:
    """Return the keyed hash of a text as 32 hexadecimal digits."""
    return hmac.new(key, text.encode(), sha256).hexdigest()[:_HEX_LENGTH]


def install_keyed_hash(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Give a connection the temporary macro ``keyed_hash(text)``, equal to the function of that name (RFC 2104)."""
    padded = key.ljust(_BLOCK, b"\0")
    inner = bytes(byte ^ 0x36 for byte in padded).hex()
    outer = bytes(byte ^ 0x5C for byte in padded).hex()
    con.execute(
        "create or replace temporary macro keyed_hash(t) as "
        f"left(sha256(unhex('{outer}') || unhex(sha256(unhex('{inner}') || encode(t)))), {_HEX_LENGTH})"
    )
