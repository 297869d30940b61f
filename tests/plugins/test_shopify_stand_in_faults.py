"""What can be made to go wrong with the Shopify stand-in, each fault as a client meets it."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import pytest

from hub_shopify.stand_in import ACCESS_TOKEN, CLIENT_SECRET, Limits, Shop, ShopifyStandIn
from hub_shopify.stand_in.faults import FAULTS
from tests.shopify_kit import Client, Clock, serving

COUNT = "{ customersCount { count } }"
PEOPLE = """{ customers(first: 1) { nodes { id tags displayName firstName lastName email phone
    defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } defaultAddress { city } addresses { city } } }
    orders(first: 1) { nodes { id email phone shippingAddress { city } billingAddress { city } } }
    abandonedCheckouts(first: 1) { nodes { id shippingAddress { city } abandonedCheckoutUrl } } }"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


def grant(client: Client) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": CLIENT_SECRET}
    return client.http.post("/admin/oauth/access_token", data=form)


def statuses(client: Client, number: int, query: str = COUNT) -> list[int]:
    return [client.post(query).status_code for _ in range(number)]


def test_expired_tokens_are_refused_and_a_new_one_is_good() -> None:
    with serving(size=1) as client:
        old = grant(client).json()["access_token"]
        client.stand_in.fault("expired-token")
        refused = []
        for client.token in (old, ACCESS_TOKEN):
            refused += statuses(client, 2)
        client.token = grant(client).json()["access_token"]
        renewed = statuses(client, 2)
        client.stand_in.heal()
        client.token = ACCESS_TOKEN
        healed = statuses(client, 1)

    assert (refused, renewed, healed) == ([401] * 4, [200, 200], [200])


@pytest.mark.parametrize(
    ("name", "how", "expected"),
    [
        ("server-error", {"every": 3, "times": 2}, [200, 200, 502, 200, 200, 502, 200, 200, 200]),
        ("throttled", {"every": 2, "status": 429}, [200, 429, 200, 200, 200]),
        ("server-error", {"times": 2}, [502, 502, 200]),
    ],
)
def test_a_fault_may_come_with_each_so_manieth_request(name: str, how: dict[str, int], expected: list[int]) -> None:
    with serving(size=1, limits=Limits(restore_rate=10_000)) as client:
        client.stand_in.fault(name, **how)

        assert statuses(client, len(expected)) == expected


def test_every_token_may_be_refused_for_a_while_or_until_healed() -> None:
    with serving(size=1) as client:
        client.stand_in.fault("refused-token", times=2)
        for_a_while = statuses(client, 3)
        client.stand_in.fault("refused-token")
        client.token = grant(client).json()["access_token"]
        all_the_time = statuses(client, 4)
        client.stand_in.heal()

        assert (for_a_while, all_the_time, statuses(client, 1)) == ([401, 401, 200], [401] * 4, [200])


def test_an_app_of_another_organisation_gets_no_token() -> None:
    with serving(size=1) as client:
        client.stand_in.fault("other-organisation")
        reply = grant(client)
        client.stand_in.heal()

        assert reply.status_code == 400
        assert "shop_not_permitted" in reply.text
        assert grant(client).status_code == 200


def test_a_storm_of_throttling_empties_the_bucket(clock: Clock) -> None:
    with serving(Shop(now=clock), limits=Limits(bucket=100, restore_rate=10)) as client:
        client.stand_in.fault("throttled", times=2)
        first, second = client.said(COUNT), client.said(COUNT)
        still_empty = client.said(COUNT)
        clock.pass_by(seconds=0.1)
        after = client.said(COUNT)

    assert [each["errors"][0]["extensions"]["code"] for each in (first, second, still_empty)] == ["THROTTLED"] * 3
    assert first["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 0
    assert after["data"] == {"customersCount": {"count": 0}}


def test_throttling_may_be_said_with_status_429_and_a_time_to_wait() -> None:
    with serving(size=1) as client:
        client.stand_in.fault("throttled", status=429, retry_after=2)
        reply = client.post(COUNT)

    assert reply.status_code == 429
    assert reply.headers["Retry-After"] == "2"


def test_the_server_may_fail_once_or_as_often_as_asked() -> None:
    with serving(size=1) as client:
        client.stand_in.fault("server-error")
        once = statuses(client, 2)
        client.stand_in.fault("server-error", status=503, times=3)
        thrice = statuses(client, 4)

    assert (once, thrice) == ([502, 200], [503, 503, 503, 200])


def test_an_internal_error_is_said_with_status_200() -> None:
    with serving(size=1) as client:
        client.stand_in.fault("internal-error")
        broken, after = client.post(COUNT), client.post(COUNT)

    assert broken.status_code == 200
    assert broken.json()["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "errors" not in after.json()


@pytest.mark.parametrize(("when", "done"), [("", False), ("before", False), ("after", True)])
def test_the_connection_may_drop_before_or_after_the_work(clock: Clock, when: str, done: bool) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")
    text = 'mutation($id: ID!) { tagsAdd(id: $id, tags: ["vip"]) { userErrors { message } } }'

    with serving(shop) as client:
        client.stand_in.fault("dropped", when=when)
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(text, id=ada.id)
        tags = list(ada.tags)
        again = client.post(text, id=ada.id).status_code

    assert tags == (["vip"] if done else [])
    assert again == 200


def whole_person(clock: Clock) -> Shop:
    shop = Shop(now=clock)
    home = shop.address(city="Aarhus")
    ada = shop.add_customer(
        email="ada@example.com",
        phone="+4520123456",
        first_name="Ada",
        last_name="Ask",
        tags=["vip"],
        default_address=home,
    )
    shop.add_order([shop.line("Boot", "10")], ada, shipping_address=home, billing_address=home)
    shop.add_checkout([shop.checkout_line("Boot", "10")], ada, shipping_address=home)
    return shop


def test_personal_data_may_be_null_throughout_while_the_rest_is_there(clock: Clock) -> None:
    with serving(whole_person(clock)) as client:
        before = client.ask(PEOPLE)
        client.stand_in.fault("redacted")
        during = client.ask(PEOPLE)
        client.stand_in.heal()
        after = client.ask(PEOPLE)

    customer, order = during["customers"]["nodes"][0], during["orders"]["nodes"][0]
    checkout = during["abandonedCheckouts"]["nodes"][0]
    assert {name for name, value in customer.items() if value} == {"id", "tags"}
    assert {name for name, value in order.items() if value} == {"id"}
    assert {name for name, value in checkout.items() if value} == {"id", "abandonedCheckoutUrl"}
    assert all(before["customers"]["nodes"][0].values())
    assert before == after


def test_personal_data_may_be_refused_with_errors(clock: Clock) -> None:
    with serving(whole_person(clock)) as client:
        client.stand_in.fault("redacted", how="refused")
        body = client.said("{ customers(first: 1) { nodes { id email } } }")

    assert "not approved to use the email field" in body["errors"][0]["message"]
    assert body["data"]["customers"]["nodes"][0]["email"] is None


def test_personal_data_is_missing_from_bulk_operations_too(clock: Clock) -> None:
    run = "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } } }"
    with serving(whole_person(clock), limits=Limits(bulk_polls=1)) as client:
        client.stand_in.fault("redacted")
        inner = "{ customers { edges { node { id email } } } }"
        gid = client.ask(run, q=inner)["bulkOperationRunQuery"]["bulkOperation"]["id"]
        url = client.ask("query($id: ID!) { bulkOperation(id: $id) { url } }", id=gid)["bulkOperation"]["url"]
        row = json.loads(httpx.get(url).text)

    assert row["email"] is None


@pytest.mark.parametrize(("given", "said"), [({}, "2027-01"), ({"version": "2027-04"}, "2027-04")])
def test_a_version_may_have_fallen_forward(given: dict[str, Any], said: str) -> None:
    with serving(size=1) as client:
        client.stand_in.fault("fallen-forward", **given)

        assert client.post(COUNT).headers["X-Shopify-API-Version"] == said


def test_the_search_index_may_lag_behind_while_records_do_not(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")
    query = "updated_at:>='2026-01-01T00:00:00Z'"

    with serving(shop) as client:
        client.stand_in.fault("late-search", seconds=60)
        clock.pass_by(seconds=59)
        filtered = client.ids("customers", query)
        listed = client.ids("customers", "")
        by_id = client.ask("query($id: ID!) { customer(id: $id) { email } }", id=ada.id)
        clock.pass_by(seconds=1)
        later = client.ids("customers", query)

    assert (filtered, listed, later) == ([], [ada.id], [ada.id])
    assert by_id["customer"] == {"email": "ada@example.com"}


def test_a_slow_answer_comes_and_one_that_is_waited_for_ends_with_the_stand_in(clock: Clock) -> None:
    outcome: list[object] = []
    stand_in = ShopifyStandIn(Shop(now=clock), specs=None)
    address = stand_in.start()
    client = Client(stand_in, address, "2026-10", ACCESS_TOKEN)
    stand_in.fault("slow", seconds=0.001, times=1)
    served = client.post(COUNT).status_code

    def ask() -> None:
        try:
            outcome.append(httpx.post(f"{address}/admin/api/2026-10/graphql.json", json={}, timeout=30))
        except httpx.TransportError as error:
            outcome.append(error)

    stand_in.fault("slow", seconds=3600, times=1)
    waiting = threading.Thread(target=ask)
    waiting.start()
    while "slow" in stand_in.state()["faults"]:
        continue
    stand_in.stop()
    waiting.join(timeout=20)

    assert served == 200
    assert len(outcome) == 1


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("nonsense", {}, "there is no fault 'nonsense'"),
        ("slow", {"minutes": 1}, "slow has no parameter 'minutes'"),
        ("slow", {"seconds": -1}, "seconds is not negative"),
        ("slow", {"seconds": "soon"}, "could not convert"),
        ("server-error", {"status": 99}, "a status is 200 to 599"),
        ("dropped", {"when": "later"}, "when is one of before, after"),
        ("redacted", {"how": "half"}, "how is one of null, refused"),
        ("bulk-failed", {"code": "NOPE"}, "code is one of"),
        ("throttled", {"times": -1}, "times is not negative"),
        ("throttled", {"times": 0.5}, "invalid literal"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(name: str, parameters: dict[str, Any], message: str) -> None:
    stand_in = ShopifyStandIn(size=1, specs=None)

    with pytest.raises(ValueError, match=message):
        stand_in.fault(name, **parameters)

    assert stand_in.state()["faults"] == {}


def test_faults_that_are_on_are_shown_until_they_are_used_up_or_healed() -> None:
    with serving(size=1) as client:
        client.stand_in.fault("server-error", status=500)
        client.stand_in.fault("redacted", how="")
        during = client.counts()["faults"]
        client.post(COUNT)
        used_up = client.counts()["faults"]
        client.stand_in.heal()

        assert during == {"server-error": {"status": "500", "left": 1}, "redacted": {"left": None}}
        assert used_up == {"redacted": {"left": None}}
        assert client.counts()["faults"] == {}


def test_every_fault_says_what_it_does_and_what_its_parameters_mean() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.description.endswith(".") for fault in FAULTS)
    assert all(meaning for fault in FAULTS for meaning in fault.parameters.values())


def test_the_state_is_json() -> None:
    with serving(size=20) as client:
        client.stand_in.fault("slow", seconds=0)
        run = "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } } }"
        client.ask(run, q="{ customers { edges { node { id } } } }")
        state = client.stand_in.state()

    assert json.loads(json.dumps(state)) == dict(state)
    assert state["bulk_operations"][0]["status"] == "RUNNING"
