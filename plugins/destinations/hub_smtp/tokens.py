"""The opaque token in unsubscribe links and bounce addresses.

Format: 30 bytes as 48 letters and digits of lower-case base32, so that it survives links, local parts of
addresses (at most 64 characters) and programs that change case::

    16 bytes   the member's key (a key that is not 32 hexadecimal digits enters by the start of its SHA-256)
     4 bytes   the list: start of SHA-256 of "<connection>/<audience>"
    10 bytes   start of HMAC-SHA-256 with the connection's key, over "hub smtp token 1", a line end (LF) and the
               20 bytes before

The member's key is a keyed hash of the address itself; nobody without the client's key can go back from it.
The connection's key is 32 random bytes, kept by hub for the connection (``remember``, entry ``token_key``).
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b32decode, b32encode
from binascii import Error as NotBase32
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from hub import api

_ENTRY = "token_key"
_CONTEXT = b"hub smtp token 1\n"
_KEY, _LIST, _SIGNATURE = 16, 4, 10
TOKEN_LENGTH = (_KEY + _LIST + _SIGNATURE) * 8 // 5


@dataclass(frozen=True, slots=True)
class Token:
    """What a valid token says: whose it is and which list, both as hexadecimal digits."""

    member_key: str
    list_tag: str


class Tokens:
    """Make and read the tokens of one connection."""

    def __init__(self, connection: str, key: bytes) -> None:
        self._connection = connection
        self._key = key

    @classmethod
    def recall(
        cls, connection: str, remember: api.Memory, new_key: Callable[[], str] = lambda: secrets.token_hex(32)
    ) -> Tokens:
        """Take the key that was kept, or make one and keep it."""
        kept = remember.get(_ENTRY)
        if kept is None:
            kept = new_key()
            remember.set(_ENTRY, kept)
        return cls(connection, bytes.fromhex(kept))

    def list_tag(self, audience: str) -> str:
        """Return the eight hexadecimal digits that stand for an audience of this connection."""
        return sha256(f"{self._connection}/{audience}".encode()).digest()[:_LIST].hex()

    def make(self, member_key: str, audience: str) -> str:
        """Return the token of one member for one audience; always the same."""
        said = _key_bytes(member_key) + bytes.fromhex(self.list_tag(audience))
        return b32encode(said + self._sign(said)).decode().lower()

    def read(self, token: str) -> Token | None:
        """Return what the token says, or None where it is not one of this connection."""
        try:
            raw = b32decode(token.strip().upper())
        except (NotBase32, ValueError):
            return None
        said, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
        if len(said) != _KEY + _LIST or not hmac.compare_digest(signature, self._sign(said)):
            return None
        return Token(said[:_KEY].hex(), said[_KEY:].hex())

    def _sign(self, said: bytes) -> bytes:
        return hmac.new(self._key, _CONTEXT + said, sha256).digest()[:_SIGNATURE]


def _key_bytes(member_key: str) -> bytes:
    try:
        raw = bytes.fromhex(member_key)
    except ValueError:
        raw = b""
    return raw if len(raw) == _KEY else sha256(member_key.encode()).digest()[:_KEY]
