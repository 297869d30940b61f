"""What a source failed to give, or never gave, keeps people from being added, whether a run pulls or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.kit import OPT_OUTS, START, Agency, only

P = {number: f"p{number}@example.com" for number in range(1, 40)}
TILL = """
[sources.till]
plugin = "csv"

[[sources.till.files]]
path = "exports/products.csv"
table = "products"
columns = { product_id = "sku", title = "title" }

[[sources.till.files]]
path = "exports/sales.csv"
table = "orders"
columns = { order_id = "number", email = "email", placed_at = "at", total = "total" }
constants = { currency = "DKK", status = "paid" }
"""
WITHOUT_PULL = [("retry", "acme"), ("sync", "acme", "--no-pull"), ("plan", "acme", "--no-pull")]
names = pytest.mark.parametrize("command", WITHOUT_PULL, ids=["retry", "sync", "plan"])


def opt_outs(agency: Agency, *emails: str, header: str = "who,channel,status,at") -> None:
    lines = [header, *(f"{email},email,unsubscribed,2026-03-01T00:00:00Z" for email in emails)]
    (agency.folder / "exports" / "outs.csv").write_text("\n".join(lines) + "\n")


def held(agency: Agency, *command: str) -> Any:
    """Run a command that delivers nobody because of a guard, and return what the guard says of the only sync."""
    agency.hub(*command, expect=0 if command[0] == "plan" else 3)
    run = agency.hub("runs", "list", "acme", "--json").json[0]
    sync = only(agency.hub("runs", "show", "acme", run["run_id"]).json["syncs"])
    assert (sync["add"], sync["update"]) == (0, 0)
    return only(sync["guards"])


@pytest.fixture
def growing(running: Agency) -> Agency:
    """A shop with two new customers, and a list of opt-outs of which one of the two is on."""
    running.add(OPT_OUTS)
    running.shop.people(2, start=30).write()
    opt_outs(running, P[30])
    return running


@names
def test_a_source_that_failed_from_the_start_refuses_without_a_pull_too(
    growing: Agency, command: tuple[str, ...]
) -> None:
    opt_outs(growing, P[30], header="something else")
    before = growing.held()
    refused = only(growing.sync(expect=3)["syncs"])

    again = held(growing, *command)

    assert again == only(refused["guards"])
    assert "a source that it reads failed: outs: " in again["text"]
    assert growing.held() == before
    opt_outs(growing, P[30])
    growing.sync()
    assert growing.held() == before | {P[31]}


@names
def test_a_source_that_was_never_pulled_refuses_until_it_is(growing: Agency, command: tuple[str, ...]) -> None:
    before = growing.held()

    guard = held(growing, *command)

    assert guard["guard"] == "source"
    assert guard["text"] == "a source that it reads was never read completely: outs"
    assert guard["next_step"] == "run `hub pull acme`"
    assert growing.held() == before
    growing.hub("segments", "list", "acme", "--no-pull")
    growing.hub("pull", "acme")
    growing.hub("retry", "acme")
    assert growing.held() == before | {P[31]}


@names
def test_a_source_whose_last_pull_failed_refuses_until_it_is_read_again(
    growing: Agency, command: tuple[str, ...]
) -> None:
    growing.sync()
    before = growing.held()
    growing.shop.people(1, start=32).write()
    opt_outs(growing, P[30], P[32], header="something else")
    growing.sync(expect=3)

    assert "a source that it reads failed: outs: " in held(growing, *command)["text"]

    assert growing.held() == before
    opt_outs(growing, P[30], P[32])
    growing.hub("pull", "acme")
    growing.hub("retry", "acme")
    assert growing.held() == before


def test_who_withdrew_leaves_an_audience_whose_source_was_never_read(growing: Agency) -> None:
    growing.hub("suppress", "acme", P[3])

    growing.hub("retry", "acme", expect=3)

    assert P[3] not in growing.held()
    assert P[31] not in growing.held()


def test_an_audience_with_nothing_to_change_is_refused_as_well(running: Agency) -> None:
    assert only(running.sync()["syncs"])["calls"] == 0
    assert only(running.sync("--no-pull")["syncs"])["status"] == "ok"
    running.add(OPT_OUTS)
    opt_outs(running, P[3])

    assert "never read completely: outs" in held(running, "sync", "acme", "--no-pull")["text"]


def test_a_reviewed_plan_is_refused_once_a_source_that_it_reads_failed(growing: Agency, tmp_path: Path) -> None:
    growing.sync()
    before = growing.held()
    growing.shop.people(1, start=32).write()
    plan = str(tmp_path / "plan.json")
    growing.hub("plan", "acme", "--out", plan)
    opt_outs(growing, P[30], P[32], header="something else")
    growing.hub("pull", "acme", expect=3)

    growing.hub("apply", plan, expect=3)

    assert growing.held() == before


def test_a_table_that_was_never_read_whole_refuses_whoever_reads_it(agency: Agency) -> None:
    agency.change('plugin = "everyone"', 'plugin = "buyers"')
    agency.add('\n[segments.people]\nplugin = "everyone"\n\n[syncs.other]\nsegment = "people"\ndestination = "list"\n')
    agency.add(TILL)
    agency.shop.people(3).buy(P[1], START)
    agency.shop.write()
    (agency.folder / "exports" / "products.csv").write_text("sku,title\nB1,Boot\n")
    (agency.folder / "exports" / "sales.csv").write_text("something else\n1\n")

    for more in ((), ("--no-pull",)):
        buyers, people = agency.sync("--force", *more, expect=3)["syncs"]

        assert [each["guard"] for each in buyers["guards"]] == ["source"]
        assert people["status"] == "ok"
    assert agency.held() == {P[1], P[2], P[3]}


def test_a_source_that_becomes_a_door_to_another_shop_counts_as_never_read(growing: Agency) -> None:
    growing.sync()
    growing.change("[sources.outs]\n", '[sources.outs]\nsystem = "other"\n')

    assert "never read completely: outs" in held(growing, "retry", "acme")["text"]
