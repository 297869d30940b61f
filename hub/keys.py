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

_BLOCK = 64
_HEX_LENGTH = 32


def load_key(folder: Path) -> bytes:
    """Read the client's key from its folder, or make one (32 random bytes, mode 0600)."""
    path = folder / "key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    key = secrets.token_bytes(32)
    part = path.with_name(f"key.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return key


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
