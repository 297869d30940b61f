"""A destination that serves a purpose in another way, and what it has to say before its first load."""

from __future__ import annotations

from tests.acceptance.kit import Agency, only

TWO_WAYS = '''
"""A vendor with lists and, for carts, events."""

from datetime import UTC, datetime

from hub import api


class Settings(api.Config):
    """None."""


class Written(api.Destination[Settings]):
    """Write down what it is told."""

    def push(self, batch):
        with (self.shop.workspace / "told.txt").open("a") as file:
            for member in batch:
                file.write(f"{self.way} {batch.op} {batch.audience} {member.email}\\n")
                yield member.delivered()


class Events(Written):
    """Events: what happened stays happened."""

    name, Config, way = "ways", Settings, "event"
    can = api.Capabilities(ops={api.Op.ADD: api.Limit(10)})

    def ensure_audience(self, name):
        return f"metric:{name}"


class Lists(Written):
    """Lists."""

    name, Config, way = "ways", Settings, "list"
    can = api.Capabilities(ops={op: api.Limit(10) for op in api.Op})

    def serving(self, purpose):
        if purpose != "cart_reminder":
            return self
        return Events(connection=self.connection, config=self.config, shop=self.shop, remember=self.remember)

    def first_load(self, audience):
        return f"flows of {audience} may start"

    def read_suppressions(self, since):
        yield api.Block("unsubscribed", datetime(2026, 11, 21, 11, tzinfo=UTC), email=" P1@Example.COM ")


@api.hookimpl
def hub_destinations():
    return [Lists]
'''
CLIENT = """
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "csv"
folder = "exports/acme"

[segments.all]
plugin = "everyone"

[destinations.vendor]
plugin = "ways"

[syncs.news]
segment = "all"
destination = "vendor"
"""
AS_CARTS = 'purpose = "cart_reminder"\n'


def wire(agency: Agency, more: str = "") -> None:
    (agency.folder / "plugins" / "ways.py").write_text(TWO_WAYS)
    agency.client(CLIENT + more)
    agency.shop.people(3).write()


def told(agency: Agency) -> list[str]:
    return (agency.folder / "told.txt").read_text().splitlines()


def test_a_destination_may_serve_a_purpose_in_another_way(agency: Agency) -> None:
    wire(agency, AS_CARTS)

    agency.hub("sync", "acme", "--force")

    assert sorted(told(agency)) == ["event add metric:all p2@example.com", "event add metric:all p3@example.com"]


def test_the_other_way_has_its_own_capabilities(agency: Agency) -> None:
    wire(agency, AS_CARTS)
    agency.hub("sync", "acme", "--force")

    agency.shop.of("p2@example.com").says = "no"
    agency.shop.write()
    agency.hub("sync", "acme", "--force")

    assert [line for line in told(agency) if "remove" in line] == []


def test_a_first_load_is_announced_and_a_later_one_is_not(agency: Agency) -> None:
    wire(agency)
    note = "flows of all may start"

    planned = only(agency.hub("plan", "acme", "--json").json["syncs"])
    assert note in planned["notes"]

    agency.hub("sync", "acme", "--force")
    agency.shop.people(1, start=50).write()
    assert note not in only(agency.hub("plan", "acme", "--json").json["syncs"]).get("notes", [])


def test_an_opt_out_finds_the_address_however_the_vendor_writes_it(agency: Agency) -> None:
    wire(agency)

    agency.hub("sync", "acme", "--force")

    assert not any("p1@" in line for line in told(agency))
    assert len(told(agency)) == 2
