"""The README's five minutes: a workspace made by hand, planned, approved, synced; the documented object all the way."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.kit import Agency, only

RUN_KEYS = ["client", "run_id", "as_of", "status", "sources", "segments", "syncs"]
SYNC_KEYS = [
    "name",
    "segment",
    "destination",
    "audience",
    "status",
    "members",
    "cleared",
    "withheld",
    "add",
    "update",
    "remove",
    "unchanged",
    "delivered",
    "accepted",
    "rejected",
    "unknown",
    "failed",
    "held_back",
    "calls",
    "reads",
]
COUNTS = SYNC_KEYS[SYNC_KEYS.index("add") :]
SETTLED = ("delivered", "accepted", "rejected", "unknown", "failed", "held_back")


def check_object(run: dict[str, Any], *, delivered: bool) -> None:
    """Hold a run's JSON against the documented object."""
    assert list(run)[: len(RUN_KEYS)] == RUN_KEYS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", run["as_of"])
    assert run["status"] in {"ok", "partial", "refused", "failed", "skipped"}
    for source in run["sources"]:
        assert list(source)[:3] == ["name", "status", "tables"]
        assert all(set(counts) == {"read", "rejected"} for counts in source["tables"].values())
    for segment in run["segments"]:
        assert list(segment)[:2] == ["name", "members"]
    for sync in run["syncs"]:
        assert list(sync)[: len(SYNC_KEYS)] == SYNC_KEYS
        assert all(isinstance(sync[name], int) for name in COUNTS)
        assert sync["members"] == sync["cleared"] + sum(sync["withheld"].values())
        settled = sum(sync[name] for name in SETTLED)
        assert settled == (sync["add"] + sync["update"] + sync["remove"] if delivered else 0)


def test_a_workspace_made_from_the_readme_ends_with_no_calls(agency: Agency) -> None:
    for left in ("hub.toml", "plugins/outside.py", "clients/acme.toml"):
        (agency.folder / left).unlink()
    agency.hub("init")
    agency.hub(
        *("client", "add", "acme", "--name", "Acme Shoes", "--country", "DK", "--currency", "DKK"),
        *("--timezone", "Europe/Copenhagen", "--source", "csv", "--destination", "file"),
    )
    now = datetime.now(UTC)
    agency.shop.people(30).people(4, "no", start=100)
    for number in range(1, 31):
        agency.shop.buy(f"p{number}@example.com", now - timedelta(days=number * 10), 20 + number)
    for number in (*range(1, 9), 100):
        agency.shop.carts.append(
            {
                "Id": 700 + number,
                "Email": f"p{number}@example.com",
                "Created at": f"{now - timedelta(days=2):%Y-%m-%d %H:%M:%S +0000}",
                "Total": 300,
                "Currency": "DKK",
                "Abandoned Checkout URL": f"https://acme.example.com/{number}",
            }
        )
    agency.shop.write()

    agency.hub("check", "acme")
    plan = agency.hub("plan", "acme", "--json").json
    check_object(plan, delivered=False)
    sync = only(plan["syncs"])
    assert sync["add"] == sync["cleared"] > 0
    assert not (agency.folder / "audiences").exists()

    refused = agency.sync(expect=3)
    check_object(refused, delivered=True)
    assert only(refused["syncs"])["held_back"] == sync["add"]
    agency.hub("approve", "acme", sync["name"])
    first = agency.sync()
    check_object(first, delivered=True)
    assert (only(first["syncs"])["delivered"], only(first["syncs"])["calls"]) == (sync["add"], 1)
    rows = only((agency.folder / "audiences" / "acme").glob("*.csv")).read_text().splitlines()
    assert len(rows) == sync["add"] + 1

    again = agency.sync()
    check_object(again, delivered=True)
    assert [sync["calls"] for sync in again["syncs"]] == [0]
    assert again["status"] == "ok"
