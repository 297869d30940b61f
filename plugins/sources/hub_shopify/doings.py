"""What hub is doing to tags, remembered before it is done.

An answer may be lost, or hub killed, when the tag is set already: the next look would take it for the shop's own, and
hub would never take it off. So it is noted beforehand whose tag hub is about to change. The notes are the members'
keys, which tell nothing about people.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api

_ENTRY = "tags"
_OPEN, _DONE = "open", "done"
_KEPT = 500
"""So many of those that were answered are remembered: what hub writes down of a batch, it writes after its answer."""


class Doings:
    """The members whose tag hub set or was about to change, and no ledger may know of it yet."""

    def __init__(self, remember: api.Memory) -> None:
        self._remember = remember

    @property
    def tags(self) -> list[str]:
        """Return every tag that hub was ever about to set."""
        return list(self._all())

    def known(self, tag: str) -> set[str]:
        """Return the keys of the members whose tag is hub's although no ledger may say so."""
        noted = self._of(tag)
        return {*noted[_OPEN], *noted[_DONE]}

    def begin(self, tag: str, keys: Iterable[str]) -> None:
        """Note that a tag is about to be changed."""
        noted = self._of(tag)
        self._keep(tag, {_OPEN: [*dict.fromkeys([*noted[_OPEN], *keys])], _DONE: noted[_DONE]})

    def end(self, tag: str, *, put: Iterable[str] = (), off: Iterable[str] = ()) -> None:
        """Note that Shopify answered: who has the tag by hub's doing, and who has it no more, or never got it."""
        noted, has, lacks = self._of(tag), list(put), set(off)
        settled = lacks.union(has)
        done = [key for key in noted[_DONE] if key not in settled] + has
        self._keep(tag, {_OPEN: [key for key in noted[_OPEN] if key not in settled], _DONE: done[-_KEPT:]})

    def _all(self) -> dict[str, Any]:
        return dict(self._remember.get(_ENTRY) or {})

    def _of(self, tag: str) -> dict[str, list[str]]:
        return {_OPEN: [], _DONE: [], **self._all().get(tag, {})}

    def _keep(self, tag: str, noted: dict[str, list[str]]) -> None:
        if noted != self._of(tag) or tag not in self._all():
            self._remember.set(_ENTRY, self._all() | {tag: noted})
