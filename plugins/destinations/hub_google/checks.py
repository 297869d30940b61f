"""What ``hub check`` finds out about a Google Ads account, changing nothing."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from hub import api
from hub_google import bodies
from hub_google.account import Account, takes_customers
from hub_google.settings import GoogleConfig

_NOBODY = sha256(b"hub-check@example.com").hexdigest()


def look_at(account: Account, config: GoogleConfig) -> Iterator[api.Finding]:
    """Yield whether the credentials open the account, and whether a list takes people."""
    lists = [each for each in account.first_page() if takes_customers(each)]
    yield api.Finding.ok(f"Google Ads account {config.customer}, {len(lists)} lists of customers")
    taking = [str(each["id"]) for each in lists if each.get("membershipStatus") != "CLOSED"]
    if taking:
        people: list[tuple[api.Member, list[dict[str, Any]]]] = [(api.Member("check"), [{"emailAddress": _NOBODY}])]
        account.validate(bodies.ingestion(account.named, taking[0], people, only_validate=True))
        yield api.Finding.ok("people may be added, and the Customer Match terms are accepted")
    else:
        yield api.Finding.info("permission to add people and the terms cannot be tried before there is an open list")
    yield from _closed(lists)


def _closed(lists: list[dict[str, Any]]) -> Iterator[api.Finding]:
    for each in lists:
        if each.get("membershipStatus") == "CLOSED":
            yield api.Finding.info(f"the list {each.get('displayName')!r} is closed; hub opens it when it adds people")
