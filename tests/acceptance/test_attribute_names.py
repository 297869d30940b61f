"""Attributes under whatever names a destination knows them by, and one sync's failure beside the others."""

from __future__ import annotations

import re
from hashlib import md5

import pytest

from hub.sync import prepare
from tests.acceptance.kit import Agency, only, told

SECOND = """
[destinations.other]
plugin = "keeper"

[syncs.second]
segment = "all"
destination = "other"
"""


@pytest.mark.parametrize(
    "theirs", ["Email", "email", "PHONE", 'a"b', "it's", "a.b", "member_key", "attributes_hash", "Grüße", " "]
)
def test_an_attribute_may_have_any_name(agency: Agency, theirs: str) -> None:
    agency.shop.people(2).write()
    agency.add(f'attributes = {{ "{theirs.replace(chr(34), chr(92) + chr(34))}" = "first_name" }}\n')

    first = only(agency.sync("--force")["syncs"])
    second = only(agency.sync()["syncs"])

    assert (first["status"], first["delivered"], second["unchanged"], second["calls"]) == ("ok", 2, 2, 0)
    sent = [each["attributes"] for each in agency.records() if each["op"] == "add"]
    assert sent == [{theirs: "Ada"}] * 2


def test_an_update_is_seen_under_a_name_that_an_address_has(agency: Agency) -> None:
    agency.shop.people(2)
    agency.add('attributes = { Email = "first_name", phone = "country" }\n')
    agency.started()
    agency.shop.of("p1@example.com").first_name = "Grace"
    agency.shop.write()

    sync = only(agency.sync()["syncs"])

    assert (sync["update"], sync["unchanged"]) == (1, 1)
    assert agency.records()[-1]["attributes"] == {"Email": "Grace", "phone": "DK"}


@pytest.mark.parametrize("command", [("check", "acme", "--offline"), ("sync", "acme")])
@pytest.mark.parametrize(
    ("names", "says"),
    [
        ('a = "first_name", A = "country"', "'a' and 'A' differ in case only"),
        ('"" = "country"', "'' cannot be the name of an attribute"),
    ],
)
def test_names_that_cannot_be_told_apart_are_a_mistake_with_its_line(
    agency: Agency, command: tuple[str, ...], names: str, says: str
) -> None:
    agency.shop.people(2).write()
    agency.add(f"attributes = {{ {names} }}\n")

    done = agency.hub(*command, expect=2)

    assert re.search(rf"clients/acme\.toml:\d+: syncs\.news\.attributes: {says}", done.stdout + done.stderr)
    assert agency.records() == []


def test_the_hash_of_what_is_sent_is_what_it_was(agency: Agency) -> None:
    """Another hash would make an upgraded hub send an update for everybody."""
    agency.shop.people(1)
    agency.add("""attributes = { name = "first_name", "it's" = "country" }\n""")
    agency.started()

    with agency.wiring().open_ledger() as ledger:
        table = ledger.membership(only(ledger.audiences()).audience_id)

    sent = r"{'email': p1@example.com, 'phone': NULL, 'name': Ada, 'it\'s': DK}"
    assert table.column("attributes_hash").to_pylist() == [md5(sent.encode()).hexdigest()]


def test_a_sync_that_fails_unexpectedly_fails_alone_and_who_must_leave_it_leaves(
    running: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.add(SECOND)
    running.sync("--force")
    running.hub("suppress", "acme", "p7@example.com")
    attach = prepare.attach

    def fail_once(*given: object) -> object:
        monkeypatch.setattr(prepare, "attach", attach)
        raise ZeroDivisionError("p7@example.com")

    monkeypatch.setattr(prepare, "attach", fail_once)
    done = running.hub("sync", "acme", "--json", expect=4)

    news, second = done.json["syncs"]
    assert (news["status"], news["delivered"], news["remove"]) == ("failed", 1, 1)
    assert (second["status"], second["delivered"]) == ("ok", 1)
    assert re.match(r"hub failed unexpectedly: ZeroDivisionError in fail_once", news["error"]["text"])
    assert "--debug" in news["error"]["next_step"]
    assert "Traceback" not in done.stderr
    assert "p7@example.com" not in running.held() | running.held("other")


def test_debug_shows_where_a_sync_failed(running: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object) -> object:
        raise ZeroDivisionError("the place")

    monkeypatch.setattr(prepare, "attach", fail)
    running.shop.people(1, start=50).write()

    done = running.hub("--debug", "sync", "acme", expect=4)

    assert "ZeroDivisionError: the place" in done.stderr
    assert "Traceback" in done.stderr
    assert told(done) == []
