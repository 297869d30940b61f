"""Which credential opens a Shopify shop, what a check says of it, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.api import AuthError, Finding, Level, SourceError
from hub_shopify.stand_in import ACCESS_TOKEN, ALL_SCOPES, CLIENT_SECRET
from hub_shopify.stand_in.shop import About
from tests.shopify_client import GRANT, Bench, Clock, Limits, Shop, bench

NOBODY = {"HUB_SECRET__ACME__SHOP__ACCESS_TOKEN": "shpat_wrong", "HUB_SECRET__ACME__SHOP__CLIENT_SECRET": "wrong"}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


@pytest.fixture
def granted(made: Bench) -> Bench:
    made.credential, made.environ = 'client_id = "app-of-acme"', GRANT
    return made


def worst(findings: list[Finding]) -> Finding:
    order = [Level.OK, Level.INFO, Level.WARNING, Level.ERROR]
    return max(findings, key=lambda finding: order.index(finding.level))


def test_a_token_is_asked_for_once_and_kept_for_later_runs(granted: Bench) -> None:
    granted.pull()
    granted.clock.go(hours=12)
    granted.pull()

    assert granted.asked("tokens_issued") == 1


def test_a_token_is_replaced_shortly_before_it_ends(granted: Bench) -> None:
    granted.pull()
    granted.clock.go(hours=23, minutes=54)
    granted.pull()
    kept = granted.asked("tokens_issued")
    granted.clock.go(minutes=2)
    granted.pull()

    assert (kept, granted.asked("tokens_issued"), granted.asked("refused")) == (1, 2, 0)


def test_a_token_that_is_refused_is_replaced_once(granted: Bench) -> None:
    granted.pull()
    granted.stand_in.fault("expired-token")

    granted.pull()

    assert granted.asked("tokens_issued") == 2


def test_a_token_that_ends_while_an_operation_runs_is_replaced(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(bulk_polls=2_000)) as made:
        made.credential, made.environ = 'client_id = "app-of-acme"', GRANT
        made.shop.add_customer(email="ada@example.com")

        pages = made.read("customers")

        assert made.clock.seconds > 86_400
        assert sum(len(page.tables.get("customers", [])) for page in pages) == 1
        assert made.asked("tokens_issued") == 2
        assert made.asked("refused") == 0


def test_a_secret_that_is_not_believed_is_told_with_whom_to_ask(made: Bench) -> None:
    made.credential, made.environ = 'client_id = "app-of-acme"', NOBODY

    finding = worst(made.check())

    assert finding.level is Level.ERROR
    assert "refuses client id and secret" in finding.text
    assert "dev.shopify.com" in str(finding.next_step)
    assert "wrong" not in finding.text


def test_an_app_of_another_organisation_is_told_apart(granted: Bench) -> None:
    granted.stand_in.fault("other-organisation")

    finding = worst(granted.check())

    assert "shop_not_permitted" in finding.text
    assert "An app of another organisation, such as your agency's, is refused." in str(finding.next_step)


def test_a_permanent_token_that_is_refused_stops_the_source(made: Bench) -> None:
    made.environ = NOBODY

    [source] = made.pull_anyhow().sources

    assert source.trouble.text == "Shopify refuses the token"
    assert "client id and client secret" in source.trouble.next_step


@pytest.mark.parametrize(
    ("credential", "environ", "said"),
    [
        ("", {}, "needs client_id here and client_secret as a secret"),
        ('client_id = "app"', {}, "names a client_id, and there is no client_secret for it"),
    ],
)
def test_without_a_credential_the_check_says_which_one_to_ask_for_and_who_clicks_where(
    made: Bench, credential: str, environ: dict[str, str], said: str
) -> None:
    made.credential, made.environ = credential, environ

    finding = worst(made.check())

    assert said in finding.text
    if not credential:
        assert "new ones cannot be made" in finding.text
        assert "dev.shopify.com > Apps > Create app" in finding.text
        assert "read_customers, read_orders, read_products, read_all_orders" in finding.text


def test_a_good_connection_says_what_it_is_connected_to(made: Bench) -> None:
    made.shop.add_customer(email="ada@example.com", first_name="Ada")

    findings = made.check()

    assert worst(findings).level is Level.INFO
    told = " | ".join(finding.text for finding in findings)
    assert "connected to Sandbox Shop (sandbox-shop.myshopify.com) with a permanent token" in told
    assert "version 2026-10 answers" in told
    assert "the shop has 1 customers, 0 orders, 0 abandoned checkouts, 0 products" in told
    assert "1 of the 1 customers changed last show an e-mail" in told


def test_missing_scopes_are_named(tmp_path: Path) -> None:
    with bench(tmp_path, scopes=["read_customers"]) as made:
        finding = worst(made.check())
        [source] = made.pull_anyhow().sources

    assert finding.text == "the app lacks the scopes read_orders, read_products"
    assert "Dev Dashboard" in str(finding.next_step)
    assert source.status == "failed"
    assert source.trouble.text == "the app lacks the scopes read_orders, read_products"
    assert source.tables["customers"]["read"] == 0


def test_a_scope_to_write_includes_the_one_to_read(tmp_path: Path) -> None:
    with bench(tmp_path, scopes=["write_customers", "write_orders", "write_products", "read_all_orders"]) as made:
        assert "missing-scopes" not in {finding.code for finding in made.check()}


def test_without_all_orders_the_check_says_where_they_begin(tmp_path: Path) -> None:
    with bench(tmp_path, scopes=[scope for scope in ALL_SCOPES if scope != "read_all_orders"]) as made:
        [finding] = [each for each in made.check() if each.code == "orders-begin-60-days-ago"]

    assert finding.level is Level.WARNING
    assert "orders begin 60 days ago" in finding.text
    assert "API access requests" in str(finding.next_step)


def test_a_version_that_fell_forward_is_told_by_the_check_and_by_a_pull(made: Bench) -> None:
    made.stand_in.fault("fallen-forward", version="2027-01")

    [finding] = [each for each in made.check() if each.code == "version-fell-forward"]
    notes = made.pull().sources[0].notes

    assert finding.level is Level.WARNING
    assert "answers as version 2027-01, since 2026-10 is no longer supported" in finding.text
    assert any("answers as version 2027-01" in note for note in notes)


def test_another_currency_and_another_clock_are_told(tmp_path: Path) -> None:
    clock = Clock()
    about = About(currency="SEK", timezone="Europe/Stockholm")
    with bench(tmp_path, Shop(about, now=clock), clock=clock) as made:
        codes = {finding.code: finding.text for finding in made.check()}

    assert "counts in SEK, the client in DKK" in codes["other-currency"]
    assert "Europe/Stockholm" in codes["other-timezone"]


def test_a_client_without_a_currency_is_told_before_and_after_every_order_is_rejected(made: Bench) -> None:
    made.currency = ""
    made.shop.add_order([made.shop.line("Sock", "3.00")], made.shop.add_customer(email="ada@example.com"))

    [finding] = [each for each in made.check() if each.code == "no-currency"]
    [source] = made.pull().sources

    assert finding.level is Level.ERROR
    assert 'Set currency = "DKK"' in str(finding.next_step)
    assert source.tables["orders"] == {"read": 1, "rejected": 1}
    assert any("1 of 1 rows of orders cannot be used: see `hub rejected acme`" in note for note in source.notes)


def test_emails_that_are_null_throughout_are_an_error_with_three_ways_out(made: Bench) -> None:
    made.shop.add_customer(email="ada@example.com", first_name="Ada")
    made.stand_in.fault("redacted")

    finding = worst(made.check())
    notes = made.pull().sources[0].notes

    assert (finding.level, finding.code) == (Level.ERROR, "no-emails")
    step = str(finding.next_step)
    assert "export customers as CSV" in step
    assert "joined by customer id" in step
    assert "Klaviyo" in step
    assert "everything from CSV" in step
    assert any("no customer shows an e-mail" in note for note in notes)


def test_emails_that_an_export_of_the_same_shop_gives_are_no_error(made: Bench) -> None:
    ada = made.shop.add_customer(email="ada@example.com", first_name="Ada")
    made.shop.add_order([made.shop.line("Boot", "10.00")], ada)
    made.stand_in.fault("redacted")
    (made.folder / "exports").mkdir()
    (made.folder / "exports" / "customers.csv").write_text(
        f"Customer ID,First Name,Email,Accepts Email Marketing\n{ada.number},Ada,ada@example.com,yes\n"
    )
    made.rest = '[sources.export]\nplugin = "csv"\nfolder = "exports"\nsystem = "shop"\n'
    made.pull()

    [finding] = [each for each in made.check() if each.code == "no-emails"]

    assert finding.level is Level.INFO
    assert "export gives 1" in finding.text
    assert made.ask("select c.email, o.total::int from customers c join orders o using (person_id)") == [
        ("ada@example.com", 10)
    ]


def test_an_app_that_is_refused_personal_data_reads_the_rest(made: Bench) -> None:
    ada = made.shop.add_customer(email="ada@example.com")
    made.shop.add_order([made.shop.line("Boot", "10.00")], ada)
    made.shop.add_checkout([made.shop.checkout_line("Cap", "5.00")], ada)
    made.stand_in.fault("redacted", how="refused")

    finding = worst(made.check())
    made.pull()

    assert (finding.level, finding.code) == (Level.ERROR, "no-emails")
    assert "denies access to protected data" in finding.text
    assert "Three ways out" in str(finding.next_step)
    counted = "select (select count(*) from customers), (select count(*) from orders), (select count(*) from carts)"
    assert made.ask(counted) == [(1, 1, 1)]


def test_an_app_that_gets_personal_data_later_reads_everybody_again(made: Bench) -> None:
    ada = made.shop.add_customer(email="ada@example.com", first_name="Ada")
    made.shop.add_order([made.shop.line("Boot", "10.00")], ada)
    made.clock.go(hours=1)
    made.stand_in.fault("redacted", how="refused")
    made.pull()
    before = made.ask("select count(email) from customers")

    made.stand_in.heal()
    made.clock.go(hours=1)
    made.pull()

    assert before == [(0,)]
    assert made.rows("customers", "email") == made.rows("orders", "email") == [("ada@example.com",)]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, "the shop is frozen"),
        (403, "forbids"),
        (404, "no such shop"),
        (423, "the shop is locked"),
        (418, "answers 418"),
    ],
)
def test_a_shop_that_does_not_serve_is_told_in_words(made: Bench, status: int, said: str) -> None:
    made.stand_in.fault("server-error", status=status, times=9)

    with pytest.raises((SourceError, AuthError), match=said):
        made.read("customers")


@pytest.mark.parametrize("fault", ["server-error", "internal-error", "dropped", "throttled"])
def test_what_passes_is_tried_again(made: Bench, fault: str) -> None:
    made.shop.add_customer(email="ada@example.com")
    made.stand_in.fault(fault, times=2)

    assert sum(len(page.tables.get("customers", [])) for page in made.read("customers")) == 1


def test_no_token_stands_in_what_is_said_or_shown(granted: Bench) -> None:
    granted.shop.add_customer(email="ada@example.com")
    granted.stand_in.fault("server-error", times=99)
    said = [str(granted.pull_anyhow().sources), str(granted.check())]
    granted.stand_in.heal()
    said += [str(granted.pull()), str(granted.check()), repr(granted.wiring().client)]

    for text in said:
        assert not any(secret in text for secret in (ACCESS_TOKEN, CLIENT_SECRET, "ada@example.com", "shpat_"))
