"""Whatever happened before: nobody without a clearing record is sent, and whoever withdrew is gone after the next run.

What may happen to whom is decided here by a small model of its own, which knows what each source last said and when.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hub.sync import verdicts
from hub.sync.numbers import RunNumbers, Status
from hub.sync.people import suppress
from tests.acceptance.kit import START, Agency, Customer

SHOPPERS = range(6)
LISTS = ("mirror", "append", "fragile")
CLIENT = """
name = "Acme"
timezone = "UTC"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "csv"
system = "shop"
folder = "exports/acme"

[sources.crm]
plugin = "csv"
system = "shop"
[[sources.crm.files]]
path = "crm/enquiries.csv"
table = "orders"
columns = { order_id = "number", customer_id = "id", email = "mail", placed_at = "when", total = "sum" }
constants = { status = "cancelled", currency = "DKK" }
[[sources.crm.files]]
path = "crm/consents.csv"
table = "consents"
columns = { subject = "mail", status = "said", recorded_at = "when" }
constants = { channel = "email", subject_kind = "email", basis = "opt_in_single" }

[segments.all]
plugin = "everyone"

[segments.prospects]
plugin = "prospects"

[segments.fragile]
plugin = "fragile"
flag = "FLAG"

[destinations.mirror]
plugin = "keeper"

[destinations.append]
plugin = "keeper"

[destinations.fragile]
plugin = "keeper"

[syncs.mirror]
segment = "all"
destination = "mirror"

[syncs.append]
segment = "prospects"
destination = "append"
mode = "append"

[syncs.fragile]
segment = "fragile"
destination = "fragile"
"""


@dataclass(frozen=True)
class Step:
    """What happens before one run, and how that run goes."""

    says: dict[int, str]
    moves: dict[int, int]
    statements: dict[int, str]
    buyers: frozenset[int]
    suppressed: frozenset[int]
    shop: str = "whole"
    crm: str = "whole"
    broken_segment: bool = False
    force: bool = False


shoppers = st.sampled_from(SHOPPERS)
steps = st.builds(
    Step,
    says=st.dictionaries(shoppers, st.sampled_from(["yes", "no", ""]), max_size=4),
    moves=st.dictionaries(shoppers, st.integers(0, 7), max_size=1),
    statements=st.dictionaries(st.integers(0, 9), st.sampled_from(["subscribed", "unsubscribed"]), max_size=3),
    buyers=st.frozensets(shoppers, max_size=1),
    suppressed=st.frozensets(st.sampled_from(range(30)), max_size=1),
    shop=st.sampled_from(["whole", "whole", "whole", "truncated", "empty"]),
    crm=st.sampled_from(["whole", "whole", "whole", "empty"]),
    broken_segment=st.sampled_from([False, False, True]),
    force=st.booleans(),
)


def address(number: int) -> str:
    """Name an address: 0 to 5 are the shoppers' first ones, 6 and 7 others, 8 and 9 known to the CRM alone."""
    return f"a{number}@example.com"


@dataclass
class Model:
    """What the sources said when they were last read, and what follows from it."""

    shop: dict[int, tuple[str, str]] = field(default_factory=dict)
    statements: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    refused_at: dict[str, datetime] = field(default_factory=dict)
    barred: set[str] = field(default_factory=set)

    def read_shop(self, rows: dict[int, tuple[str, str]], at: datetime) -> None:
        for number, (mail, word) in rows.items():
            before = self.shop.get(number)
            if before == (mail, "yes") and word == "no":
                self.refused_at[mail] = at
        self.shop = dict(rows)

    def read_crm(self, statements: dict[str, tuple[str, datetime]]) -> None:
        self.statements = dict(statements)
        for mail, (word, at) in statements.items():
            if word == "unsubscribed":
                self.refused_at[mail] = max(at, self.refused_at.get(mail, at))

    def withdrew(self, mail: str) -> bool:
        """Tell whether a refusal of the address stands: only an opt-in with a later time of its own lifts it."""
        if mail in self.barred:
            return True
        refused = self.refused_at.get(mail)
        word, at = self.statements.get(mail, ("", START))
        return refused is not None and not (word == "subscribed" and at > refused)

    def person(self, mail: str) -> set[str]:
        """Return every address of the person: shoppers 0 and 1 once asked for an offer with a second one."""
        links = [{row[0], address(8 + number)} for number, row in self.shop.items() if number < 2]
        found = {mail}
        for _ in links:
            for link in links:
                if link & found:
                    found |= link
        return found

    def may_be_sent(self, mail: str) -> bool:
        said_yes = any(row == (mail, "yes") for row in self.shop.values())
        said_yes |= self.statements.get(mail, ("", START))[0] == "subscribed"
        return said_yes and not any(self.withdrew(each) for each in self.person(mail))


@dataclass
class World:
    """The agency, what its sources say now, and the model."""

    agency: Agency
    flag: Path
    model: Model = field(default_factory=Model)
    mails: dict[int, str] = field(default_factory=lambda: {number: address(number) for number in SHOPPERS})
    words: dict[int, str] = field(default_factory=lambda: dict.fromkeys(SHOPPERS, "yes"))
    said: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.agency.clock.now

    def copied(self, folder: Path) -> World:
        """Return the same world in another folder."""
        world = deepcopy(self)
        world.agency = self.agency.copied(folder)
        return world

    def take(self, step: Step) -> None:
        """Let a step happen, run, and compare."""
        self.agency.clock.go(days=1)
        self._change(step)
        self._write(step)
        self.flag.unlink(missing_ok=True)
        if step.broken_segment:
            self.flag.touch()
        before = {name: len(self.agency.records(name)) for name in LISTS}

        numbers = self.agency.run(force=step.force)

        self._learn(step, numbers)
        self._compare(before, numbers)

    def _change(self, step: Step) -> None:
        for number in step.buyers:
            self.agency.shop.buy(self.mails[number], self.now - timedelta(hours=2))
        for number, to in step.moves.items():
            self.mails[number] = address(to)
        for number, word in step.says.items():
            if number not in step.moves:
                self.words[number] = word
        for number, word in step.statements.items():
            self.said[address(number)] = (word, self.now - timedelta(hours=1))
        for number in step.suppressed:
            if number < 10:
                suppress(self.agency.wiring(), address(number))
                self.model.barred |= self.model.person(address(number))

    def _write(self, step: Step) -> None:
        shop = self.agency.shop
        count = {"whole": len(SHOPPERS), "truncated": 2, "empty": 0}[step.shop]
        shop.customers = [
            Customer(1000 + number, self.mails[number], self.words[number]) for number in list(SHOPPERS)[:count]
        ]
        shop.write(self.now)
        crm = self.agency.folder / "crm"
        crm.mkdir(exist_ok=True)
        enquiries = [[f"E{n}", 1000 + n, address(8 + n), "2026-01-01", 0] for n in (0, 1)]
        self._table(crm / "enquiries.csv", ["number", "id", "mail", "when", "sum"], enquiries)
        rows = [[mail, word, f"{at:%Y-%m-%dT%H:%M:%SZ}"] for mail, (word, at) in sorted(self.said.items())]
        self._table(crm / "consents.csv", ["mail", "said", "when"], rows if step.crm == "whole" else [])

    def _table(self, path: Path, header: list[str], rows: list[list[object]]) -> None:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        if not rows:
            path.write_bytes(b"")
        os.utime(path, (self.now.timestamp(), self.now.timestamp()))

    def _learn(self, step: Step, numbers: RunNumbers) -> None:
        """Take in what hub says that it read."""
        shop, crm = numbers.sources
        if shop.status is Status.OK:
            count = {"whole": len(SHOPPERS), "truncated": 2, "empty": 0}[step.shop]
            rows = {number: (self.mails[number], self.words[number]) for number in list(SHOPPERS)[:count]}
            self.model.read_shop(rows, self.now)
        if crm.status is Status.OK:
            self.model.read_crm(self.said)

    def _compare(self, before: dict[str, int], numbers: RunNumbers) -> None:
        for name in LISTS:
            for each in self.agency.records(name)[before[name] :]:
                if each["op"] in {"add", "update"}:
                    assert self.model.may_be_sent(each["email"]), (name, each["email"])
            for mail in self.agency.held(name):
                withdrew = {each for each in self.model.person(mail) if self.model.withdrew(each)}
                assert not withdrew, (name, mail, withdrew)
        for sync in numbers.syncs:
            assert sync.members == sync.cleared + sum(sync.withheld.values())
            settled = sync.delivered + sync.accepted + sync.rejected + sync.unknown + sync.failed + sync.held_back
            assert sync.add + sync.update + sync.remove == settled


@contextmanager
def storing(verdicts_are_kept: bool) -> Iterator[None]:
    """Let consent's answers be kept in the catalog, however few people there are, or as hub would have it."""
    with pytest.MonkeyPatch.context() as patch:
        if verdicts_are_kept:
            patch.setattr(verdicts, "WORTH_STORING", 0)
        yield


@pytest.fixture(scope="module")
def first_days(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, World]:
    """Live the day once that every history begins with: everybody said yes and is delivered; the key is ``storing``'s."""
    return {kept: first_day(tmp_path_factory.mktemp("world"), kept) for kept in (False, True)}


def first_day(folder: Path, verdicts_are_kept: bool) -> World:
    agency, flag = Agency(folder / "agency"), folder / "flag"
    agency.client(CLIENT.replace("FLAG", str(flag)))
    agency.shop.buy("nobody@example.com", START - timedelta(days=30))
    world = World(agency, flag)
    world.said[address(8)] = ("subscribed", START - timedelta(days=1))
    with storing(verdicts_are_kept):
        world.take(Step({}, {}, {}, frozenset(), frozenset(), force=True))
    return world


@settings(
    max_examples=7,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=st.lists(steps, min_size=3, max_size=5), verdicts_are_kept=st.booleans())
def test_nobody_without_a_clearing_record_is_sent_and_whoever_withdrew_is_removed(
    first_days: dict[bool, World], history: list[Step], verdicts_are_kept: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder, storing(verdicts_are_kept):
        world = first_days[verdicts_are_kept].copied(Path(folder) / "agency")
        for step in history:
            world.take(step)
