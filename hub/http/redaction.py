"""What must not stand in a message."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

_EMAIL = re.compile(r"[^\s\"'<>,;:=/?&()\[\]{}]+(?:@|%40)[^\s\"'<>,;:=/?&()\[\]{}]+")
_PHONE = re.compile(r"(?<![\w.-])(?<!://)\+?\d[\d ().-]{6,}\d(?![\w-])")
"""Digits enough for a phone; behind :// stands the address of a machine."""


def redactor(secrets: Collection[str]) -> Callable[[str], str]:
    """Return a function that masks secrets, e-mail addresses and phones in a text."""
    hidden = {part for secret in secrets for part in (secret, *secret.split()) if len(part) >= 4}
    pattern = re.compile("|".join(re.escape(part) for part in sorted(hidden, key=len, reverse=True)))

    def redact(text: str) -> str:
        if hidden:
            text = pattern.sub("***", text)
        return _PHONE.sub("<phone>", _EMAIL.sub("<email>", text))

    return redact
