"""Calls to an ad account."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from hub import api
from hub_meta import bodies

FLAGGED = 471
_FIELDS = "id,name,subtype,operation_status,delivery_status,time_created"
_PAGE = 100
_HASH = re.compile(r"[0-9a-f]{64}")

Json = dict[str, Any]


class Account:
    """One ad account, asked through hub's client."""

    def __init__(self, http: api.Http, number: str) -> None:
        self._http = http
        self._path = f"/act_{number}"

    def audiences(self) -> Iterator[Json]:
        """Yield every custom audience, a hundred to a call; only the cursor of a page is used."""
        params: Json = {"fields": _FIELDS, "limit": _PAGE}
        while True:
            page = self._http.get(f"{self._path}/customaudiences", params=params).json()
            yield from page["data"]
            paging = page.get("paging") or {}
            after = (paging.get("cursors") or {}).get("after")
            if not after or not paging.get("next"):
                return
            params["after"] = after

    def find_audience(self, name: str) -> str | None:
        """Return the id of the oldest customer file audience with exactly this name; names need not be unique."""
        found = [each for each in self.audiences() if each.get("name") == name and each.get("subtype") == "CUSTOM"]
        oldest = min(found, key=lambda each: int(each.get("time_created") or 0), default=None)
        return None if oldest is None else str(oldest["id"])

    def create_audience(self, name: str, customer_file_source: str) -> str:
        """Create a customer file audience and return its id."""
        body = bodies.new_audience(name, customer_file_source)
        return str(self._http.post(f"{self._path}/customaudiences", json=body).json()["id"])

    def has(self, audience: str) -> bool:
        """Tell whether the account has an audience of this id."""
        return any(str(each.get("id")) == audience for each in self.audiences())

    def add(self, audience: str, body: Mapping[str, Any]) -> set[str]:
        """Add people, and return the values that Meta calls invalid: up to a hundred samples."""
        return _invalid(self._http.post(f"/{quote(audience)}/users", json=body))

    def remove(self, audience: str, body: Mapping[str, Any]) -> None:
        """Remove people; somebody who is not in it is fine too."""
        self._http.delete(f"/{quote(audience)}/users", json=body)

    def forget(self, payload: Mapping[str, Any]) -> None:
        """Remove people from every audience of the account."""
        self._http.delete(f"{self._path}/usersofanyaudience", json={"payload": payload})


def _invalid(reply: api.Reply) -> set[str]:
    """Return the hashes among the samples, whatever shape they come in; Meta describes none."""
    told = reply.json()
    if not isinstance(told, dict) or not told.get("num_invalid_entries"):
        return set()
    return set(_HASH.findall(str(told.get("invalid_entry_samples") or "").lower()))
