"""hub's own plugins keep the contract that third parties are held to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hub import api
from hub.testing import DestinationConformance, SegmentConformance, SourceConformance, never
from hub_carts import CartAbandoners
from hub_csv import CsvSource
from hub_file import FileDestination
from hub_lifecycle import Inactive, NeverPurchased
from hub_purchases import CouponLovers, HighSpenders, LowSpenders, OneTime
from hub_smtp import Smtp
from hub_smtp.stand_in import SmtpStandIn

pytest_plugins = ["pytester"]

CUSTOMERS = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Country Code,Phone,Tags\n"
    "1,Ada,Ash,ada@example.com,yes,DK,,ads-ok\n"
    "2,Bo,Birch,bo@example.com,no,DK,+4520123456,\n"
)
TILL = "Invoice;Mail;When;Sum\n1;ada@example.com;24/12/2025 10:00;12,50\n2;bo@example.com;never;1,00\n"


class TestCsv(SourceConformance):
    plugin = CsvSource
    settings = {
        "folder": "exports",
        "files": [
            {
                "path": "till.csv",
                "table": "orders",
                "columns": {"order_id": "Invoice", "email": "Mail", "placed_at": "When", "total": "Sum"},
                "constants": {"status": "paid"},
                "date_format": "%d/%m/%Y %H:%M",
                "decimal": ",",
            }
        ],
    }
    rejected = 1
    tables = ("customers", "consents", "orders")

    def fill(self, workspace: Path) -> None:
        (workspace / "exports").mkdir()
        (workspace / "exports" / "customers.csv").write_text(CUSTOMERS)
        (workspace / "till.csv").write_text(TILL)


class TestFile(DestinationConformance):
    plugin = FileDestination


class TestFileForMeta(DestinationConformance):
    plugin = FileDestination
    settings = {"layout": "meta", "format": "jsonl"}
    gaps = {
        "test_who_was_added_can_be_read_where_members_can_be_read": never("the file holds hashes", api.RejectedError)
    }


class TestSmtp(DestinationConformance):
    plugin = Smtp
    stand_in = SmtpStandIn
    settings = {
        "sender": "Acme Shoes <news@shop.example>",
        "postal_address": "Acme Shoes, Vestergade 1, 1456 København",
        "unsubscribe_url": "https://shop.example/unsubscribe?t={token}",
    }
    attributes = {
        "first_name": "Ada",
        "cart_url": "https://shop.example/cart/1",
        "cart_value": 150,
        "cart_items": 2,
        "currency": "DKK",
    }

    def other_side(self, workspace: Path, served: api.StandIn | None) -> Any:
        assert served is not None
        return len(served.state()["mails"])


class ListService(BaseHTTPRequestHandler):
    """Be a vendor that keeps lists."""

    def do_GET(self) -> None:
        self._answer(sorted(self.server.lists))  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kept: set[str] = self.server.lists.setdefault(body["list"], set())  # type: ignore[attr-defined]
        (kept.difference_update if body["op"] == "remove" else kept.update)(body.get("emails", ()))
        self._answer({"list": body["list"]})

    def log_message(self, *told: Any) -> None:
        """Be quiet."""

    def _answer(self, data: Any) -> None:
        self.send_response(200 if self.headers["api-key"] == "sandbox" else 401)
        self.end_headers()
        self.wfile.write(json.dumps(data).encode())


class ListStandIn(api.StandIn):
    plugin = "lists"
    secrets = {"api_key": "sandbox"}

    def start(self, port: int = 0) -> str:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), ListService)
        self._server.lists = {}  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def state(self) -> Mapping[str, Any]:
        return {name: sorted(kept) for name, kept in self._server.lists.items()}  # type: ignore[attr-defined]


class ListsConfig(api.Config):
    address: api.Endpoint = api.Field(default=api.Endpoint("https://lists.example.com"), description="base address")
    api_key: api.Secret = api.Field(description="key of the account")


class Lists(api.Destination[ListsConfig]):
    """Keep a list at a vendor over HTTP."""

    name = "lists"
    Config = ListsConfig
    can = api.Capabilities(ops={api.Op.ADD: api.Limit(10), api.Op.REMOVE: api.Limit(10)}, rate=api.Rate(concurrent=2))

    def client(self, connect: api.Connect) -> api.Http:
        key = self.config.api_key.get_secret_value()
        return connect(base_url=str(self.config.address), headers={"api-key": key})

    def check(self) -> Iterator[api.Finding]:
        yield api.Finding.ok(f"{len(self.http.get('/lists').json())} lists")

    def ensure_audience(self, name: str) -> str:
        if name not in self.http.get("/lists").json():
            self.http.post("/lists", json={"list": name, "op": "add"})
        return name

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        emails = [member.email for member in batch]
        self.http.post("/lists", json={"list": batch.audience, "op": batch.op, "emails": emails})
        return (member.delivered() for member in batch)


class TestOverHttp(DestinationConformance):
    plugin = Lists
    stand_in = ListStandIn


class TestCartAbandoners(SegmentConformance):
    plugin = CartAbandoners


class TestCouponLovers(SegmentConformance):
    plugin = CouponLovers
    settings = {"min_share": 0.3}


class TestHighSpenders(SegmentConformance):
    plugin = HighSpenders


class TestHighSpendersByAmount(SegmentConformance):
    plugin = HighSpenders
    settings = {"min_spend": 100}


class TestInactive(SegmentConformance):
    plugin = Inactive


class TestInactiveEverywhere(SegmentConformance):
    plugin = Inactive
    settings = {"inactive": "20d", "no_visit": "2d", "no_engagement": "2d"}


class TestLowSpenders(SegmentConformance):
    plugin = LowSpenders


class TestNeverPurchased(SegmentConformance):
    plugin = NeverPurchased


class TestOneTime(SegmentConformance):
    plugin = OneTime


SLOPPY = """
from hub import api
from hub.testing import DestinationConformance, notimpl

class SloppyConfig(api.Config):
    api_token: str = "hunter2"

class Sloppy(api.Destination[SloppyConfig]):
    name = "sloppy"
    Config = SloppyConfig
    can = api.Capabilities(ops={{api.Op.ADD: api.Limit(10)}})
    made = 0

    def ensure_audience(self, name):
        type(self).made += 1
        return f"{{name}} {{self.made}}"

    def check(self):
        (self.shop.workspace / "left.txt").write_text("here")
        yield api.Finding.ok("all is well")

    def push(self, batch):
        for member in list(batch)[:1]:
            yield member.rejected(f"{{member.email}} is unknown")

class TestSloppy(DestinationConformance):
    plugin = Sloppy
    gaps = {gaps}
"""


@pytest.mark.parametrize(
    "fault",
    [
        "test_the_class_says_what_it_is_for",
        "test_every_setting_is_described",
        "test_secrets_are_typed_as_secrets",
        "test_check_finds_and_changes_nothing",
        "test_ensure_audience_looks_before_it_creates",
        "test_every_member_gets_exactly_one_outcome",
    ],
)
def test_the_kit_finds_what_is_wrong(pytester: pytest.Pytester, fault: str) -> None:
    pytester.makepyfile(SLOPPY.format(gaps="{}"))

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-k", fault)

    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) >= 1
    assert outcomes.get("errors", 0) == 0


def test_a_gap_is_expected_and_told_when_it_closes(pytester: pytest.Pytester) -> None:
    gaps = '{"test_every_setting_is_described": notimpl("later"), "test_it_is_a_connection": notimpl("never was one")}'
    pytester.makepyfile(SLOPPY.format(gaps=gaps))

    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-k", "described or is_a_connection"
    )

    assert result.parseoutcomes() == {"xfailed": 1, "failed": 1, "deselected": result.parseoutcomes()["deselected"]}


def test_a_gap_that_names_no_test_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SLOPPY.format(gaps='{"test_of_nothing": notimpl("typing")}'))

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-k", "every_gap_names")

    assert result.parseoutcomes().get("failed") == 1


def test_kinds_of_gaps_say_what_they_are() -> None:
    assert never("a mail cannot be unsent").kind == "never"
