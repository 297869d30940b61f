"""Who is held out of an audience stays so, whatever other addresses come to be known."""

from __future__ import annotations

from tests.acceptance.kit import Agency, only

TILL = """
[sources.till]
plugin = "csv"
system = "shop"

[[sources.till.files]]
path = "exports/till.csv"
table = "orders"
columns = { order_id = "no", customer_id = "who", email = "mail", placed_at = "at", total = "sum" }
constants = { currency = "DKK", status = "paid" }
"""
PEOPLE = 60


def hold_out(agency: Agency, share: float) -> None:
    agency.change('destination = "list"\n', f'destination = "list"\nholdout = {share}\n')


def learn_other_addresses(agency: Agency) -> None:
    """Let every customer be known by an address that comes before the one of before."""
    rows = [f"{number},{1000 + number},a{number}@example.com,2026-11-01 10:00,5" for number in range(1, PEOPLE + 1)]
    (agency.folder / "exports" / "till.csv").write_text("\n".join(["no,who,mail,at,sum", *rows]))


def begin(agency: Agency, share: float = 0.3) -> set[str]:
    """Deliver to everybody but a share of them, and return who is held out."""
    agency.add(TILL)
    hold_out(agency, share)
    (agency.folder / "exports").mkdir(exist_ok=True)
    (agency.folder / "exports" / "till.csv").write_text(
        "no,who,mail,at,sum\n1,1,someone@else.example,2026-11-01 10:00,5"
    )
    agency.shop.people(PEOPLE).write()
    numbers = only(agency.sync("--force")["syncs"])
    out = {customer.email for customer in agency.shop.customers} - agency.held()
    assert numbers["withheld"].get("HOLDOUT") == len(out)
    assert 0.1 * PEOPLE < len(out) < 0.6 * PEOPLE
    return out


def test_another_address_neither_lets_in_nor_keeps_out(agency: Agency) -> None:
    out = begin(agency)
    learn_other_addresses(agency)

    numbers = only(agency.sync("--force")["syncs"])

    assert (numbers["add"], numbers["remove"]) == (0, 0)
    assert numbers["withheld"]["HOLDOUT"] == len(out)
    assert {each["email"] for each in agency.records() if each["op"] == "add"}.isdisjoint(out)


def test_who_was_held_out_and_left_is_held_out_when_they_return(agency: Agency) -> None:
    out = begin(agency)
    everybody = agency.shop.customers
    agency.shop.customers = [customer for customer in everybody if customer.email not in out]
    agency.shop.write()
    agency.sync("--force")
    learn_other_addresses(agency)
    agency.shop.customers = everybody
    agency.shop.write()

    numbers = only(agency.sync("--force")["syncs"])

    assert numbers["withheld"]["HOLDOUT"] == len(out)
    assert agency.held().isdisjoint(out)


def test_a_larger_share_draws_among_the_members_and_a_smaller_one_lets_in(agency: Agency) -> None:
    out = begin(agency, 0.3)
    learn_other_addresses(agency)
    agency.sync("--force")

    agency.change("holdout = 0.3", "holdout = 0.6")
    more = only(agency.sync("--force")["syncs"])
    held = agency.held()
    assert more["remove"] > 0
    assert held.isdisjoint(out)
    assert more["withheld"]["HOLDOUT"] + len(held) == PEOPLE

    agency.change("holdout = 0.6", "holdout = 0.01")
    fewer = only(agency.sync("--force")["syncs"])
    assert fewer["add"] > 0
    assert held <= agency.held()
    assert agency.held() & out


def test_what_was_held_out_is_kept_when_a_removal_fails(agency: Agency) -> None:
    begin(agency, 0.3)
    agency.change("holdout = 0.3", "holdout = 0.6")
    agency.fault("fail")
    wanted = only(agency.sync("--force", expect=4)["syncs"])["remove"]
    agency.fault("")

    agency.clock.go(days=2)
    assert only(agency.run(force=True).syncs).remove == wanted
