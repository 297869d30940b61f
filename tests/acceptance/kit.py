"""An agency with a shop on disk, hub run on it as a user runs it, and destinations that write down whom they got."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from hub.cli.app import main
from hub.config import load_client, load_workspace
from hub.ledger import Ledger, MemberState
from hub.plugins import Plugins
from hub.sync.numbers import RunNumbers
from hub.sync.run import RunOptions, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
DEADLINE = 60.0

CUSTOMERS = [
    "Customer ID",
    "First Name",
    "Last Name",
    "Email",
    "Accepts Email Marketing",
    "Default Address Country Code",
    "Phone",
    "Total Spent",
    "Total Orders",
    "Tags",
]
ORDERS = [
    "Name",
    "Email",
    "Financial Status",
    "Paid at",
    "Currency",
    "Total",
    "Discount Code",
    "Discount Amount",
    "Created at",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Id",
]
CARTS = [
    "Id",
    "Email",
    "Created at",
    "Completed at",
    "Total",
    "Currency",
    "Abandoned Checkout URL",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
]

PLUGIN = '''
"""Destinations that write down whom they got, and segments to fill them."""

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from hub import api

ADD, UPDATE, REMOVE = api.Op.ADD, api.Op.UPDATE, api.Op.REMOVE


class Settings(api.Config):
    token: api.Secret | None = api.Field(default=None, description="a secret that nobody looks at")


class Keeper(api.Destination[Settings]):
    """Write every member in a file, durably, before saying that it is delivered."""

    name = "keeper"
    Config = Settings
    can = api.Capabilities(ops={ADD: api.Limit(5), UPDATE: api.Limit(5), REMOVE: api.Limit(5)})

    @property
    def place(self):
        return self.shop.workspace / "outside" / f"{self.shop.client}-{self.connection}"

    def fault(self):
        """Return what a test asked to go wrong: a file beside the record."""
        file = self.place.with_suffix(".fault")
        return file.read_text().strip() if file.exists() else ""

    def ensure_audience(self, name):
        self.write({"op": "ensure", "audience": name})
        return name

    def push(self, batch):
        fault = self.fault()
        if fault == "raise":
            raise ValueError("boom")
        if fault == "refuse":
            raise api.RejectedError("no such list")
        self.write({"op": "push", "key": batch.key, "size": len(batch)})
        members = list(batch)
        for member in members:
            self.write({
                "op": batch.op.value, "audience": batch.audience, "key": member.key, "email": member.email,
                "phone": member.phone, "attributes": {k: str(v) for k, v in member.attributes.items()},
            })
            if fault == "wait":
                self.wait()
                fault = ""
            if fault == "short" and member is members[-1]:
                return
            if fault == "stranger":
                yield api.Member("stranger").delivered()
            elif fault == "unknown":
                yield member.unknown("no answer came")
            elif fault == "fail":
                yield member.failed("try later")
            elif fault == "reject" and batch.op is ADD:
                yield member.rejected("no such address")
            else:
                yield member.delivered()

    def wait(self):
        """Tell the test that a batch is under way, and let it do something meanwhile."""
        self.place.with_suffix(".fault").unlink()
        self.place.with_suffix(".waiting").touch()
        patience = 600
        while self.place.with_suffix(".waiting").exists() and patience:
            time.sleep(0.05)
            patience -= 1

    def write(self, record):
        self.place.parent.mkdir(exist_ok=True)
        with self.place.open("a") as file:
            file.write(json.dumps(record) + "\\n")
            file.flush()
            os.fsync(file.fileno())


class Once(Keeper):
    """The same, and repeating it would do harm; leaving it is no call."""

    name = "once"
    can = api.Capabilities(ops={ADD: api.Limit(5)}, repeatable=False)


class Poster(Keeper):
    """A mail-like destination: nothing twice, a pause for the same, a cap over all."""

    name = "poster"
    can = api.Capabilities(
        ops={ADD: api.Limit(5)}, repeatable=False, cooldown=timedelta(days=7), cap=timedelta(hours=16)
    )


class Forgetful(Keeper):
    """One that forgets its members after 30 days."""

    name = "forgetful"
    can = api.Capabilities(ops={ADD: api.Limit(5), REMOVE: api.Limit(5)}, refresh_after=timedelta(days=30))


class Nothing(api.Config):
    """No settings."""


class Everyone(api.Segment[Nothing]):
    """Everybody the shop knows."""

    name, version, Config = "everyone", 1, Nothing
    sql = "select person_id from people"


class BuyersSettings(api.Config):
    at_least: int = api.Field(default=1, description="counted orders")


class Buyers(api.Segment[BuyersSettings]):
    """Whoever bought often enough."""

    name, version, Config = "buyers", 1, BuyersSettings
    rule = (api.at_least("orders", "$at_least"),)
    evidence = ("orders", "spend")


class Prospects(api.Segment[Nothing]):
    """Whoever did not buy yet."""

    name, version, Config = "prospects", 1, Nothing
    rule = (api.equals("orders", 0),)


class FragileSettings(api.Config):
    flag: str = api.Field(description="while this file exists, nothing works")


class Fragile(api.Segment[FragileSettings]):
    """Everybody, as long as nothing is wrong."""

    name, version, Config = "fragile", 1, FragileSettings
    sql = "select person_id from people"

    def prepare(self, catalog, as_of):
        if Path(self.config.flag).exists():
            raise ValueError("the model did not fit")
        return api.Prepared()


@api.hookimpl
def hub_destinations():
    return [Keeper, Once, Poster, Forgetful]


@api.hookimpl
def hub_segments():
    return [Everyone, Buyers, Prospects, Fragile]
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

[destinations.list]
plugin = "keeper"

[syncs.news]
segment = "all"
destination = "list"
"""

OPT_OUTS = """
[sources.outs]
plugin = "csv"

[[sources.outs.files]]
path = "exports/outs.csv"
table = "consents"
columns = { subject = "who", channel = "channel", status = "status", recorded_at = "at" }
"""


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines()]


@dataclass
class Customer:
    """A line of the customers' export."""

    number: int | str
    email: str = ""
    says: str = "yes"
    tags: str = ""
    phone: str = ""
    first_name: str = "Ada"
    country: str = "DK"

    def row(self) -> dict[str, object]:
        return {
            "Customer ID": f"'{self.number}",
            "First Name": self.first_name,
            "Email": self.email,
            "Accepts Email Marketing": self.says,
            "Default Address Country Code": self.country,
            "Phone": self.phone,
            "Tags": self.tags,
        }


@dataclass
class Shop:
    """What a shop's exports say."""

    folder: Path
    customers: list[Customer] = field(default_factory=list)
    orders: list[dict[str, object]] = field(default_factory=list)
    carts: list[dict[str, object]] = field(default_factory=list)
    writes: int = 0

    def people(self, count: int, says: str = "yes", start: int = 1) -> Shop:
        """Add customers p1@example.com and on."""
        for number in range(start, start + count):
            self.customers.append(Customer(1000 + number, f"p{number}@example.com", says))
        return self

    def of(self, email: str) -> Customer:
        return next(customer for customer in self.customers if customer.email == email)

    def buy(self, email: str, at: datetime, total: float = 100) -> None:
        number = 5000 + len(self.orders)
        self.orders.append(
            {
                "Name": f"#{number}",
                "Email": email,
                "Financial Status": "paid",
                "Paid at": f"{at:%Y-%m-%d %H:%M:%S +0000}",
                "Currency": "DKK",
                "Total": total,
                "Created at": f"{at:%Y-%m-%d %H:%M:%S +0000}",
                "Lineitem quantity": 1,
                "Lineitem name": "Boot",
                "Lineitem price": total,
                "Id": 900_000 + number,
            }
        )

    def write(self, at: datetime | None = None) -> None:
        """Write the exports; ``at`` is the files' time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write("customers_export.csv", CUSTOMERS, [customer.row() for customer in self.customers], at)
        if self.orders:
            self._write("orders_export.csv", ORDERS, self.orders, at)
        if self.carts:
            self._write("checkouts_export.csv", CARTS, self.carts, at)

    def _write(self, name: str, header: list[str], rows: Iterable[Mapping[str, object]], at: datetime | None) -> None:
        self.writes += 1
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, restval="")
            writer.writeheader()
            writer.writerows(rows)
        if at is not None:
            # Two exports of one size in one second must still be two files to hub.
            nanoseconds = int(at.timestamp()) * 1_000_000_000 + self.writes
            os.utime(path, ns=(nanoseconds, nanoseconds))


@dataclass
class Agency:
    """A workspace with one client, ``acme``, whose exports a test writes."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.shop = Shop(self.folder / "exports" / "acme")
        if self.folder.exists():
            return
        for name in ("clients", "plugins"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "hub.toml").write_text('requires = ">=0.1"\n')
        (self.folder / "plugins" / "outside.py").write_text(PLUGIN)
        self.client(CLIENT)

    def copied(self, folder: Path) -> Agency:
        """Return the same agency in another folder, for a test to go on with."""
        shutil.copytree(self.folder, folder)
        made = deepcopy(self)
        made.folder, made.shop.folder = folder, folder / "exports" / "acme"
        return made

    # What is on disk.

    def client(self, text: str, name: str = "acme") -> None:
        (self.folder / "clients" / f"{name}.toml").write_text(dedent(text))

    def add(self, text: str, name: str = "acme") -> None:
        path = self.folder / "clients" / f"{name}.toml"
        path.write_text(path.read_text() + dedent(text))

    def change(self, old: str, new: str, name: str = "acme") -> None:
        path = self.folder / "clients" / f"{name}.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    @property
    def state(self) -> Path:
        return self.folder / ".hub" / "acme"

    def fault(self, kind: str, connection: str = "list", client: str = "acme") -> None:
        """Let a destination go wrong, or well again (an empty word)."""
        place = self.folder / "outside" / f"{client}-{connection}.fault"
        place.parent.mkdir(exist_ok=True)
        place.write_text(kind)

    def waiting(self, connection: str = "list") -> Path:
        return self.folder / "outside" / f"acme-{connection}.waiting"

    def records(self, connection: str = "list", client: str = "acme") -> list[dict[str, Any]]:
        """Return everything a destination wrote down; a line that a kill cut off is not there."""
        place = self.folder / "outside" / f"{client}-{connection}"
        if not place.exists():
            return []
        return [json.loads(line) for line in place.read_text().split("\n")[:-1]]

    def got(self, connection: str = "list", op: str = "add", since: int = 0, client: str = "acme") -> list[str]:
        """Return the e-mails a destination got in an operation, in order."""
        return [each["email"] for each in self.records(connection, client)[since:] if each["op"] == op]

    def held(self, connection: str = "list", client: str = "acme") -> set[str]:
        """Return the e-mails a destination holds after everything it was told."""
        held: dict[str, None] = {}
        for each in self.records(connection, client):
            if each["op"] in {"add", "update"}:
                held[each["email"]] = None
            elif each["op"] == "remove":
                held.pop(each["email"], None)
        return set(held)

    def writes(self, connection: str = "list") -> int:
        return sum(each["op"] in {"push", "ensure"} for each in self.records(connection))

    # hub, as a command in this process.

    def hub(self, *arguments: str, expect: int = 0, **environ: str) -> Done:
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with pytest.MonkeyPatch.context() as patch, chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "stdin", io.StringIO(""))
            patch.delenv("HUB_WORKSPACE", raising=False)
            for name, value in environ.items():
                patch.setenv(name, value)
            try:
                main(arguments)
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else 0
        done = Done(code, out.getvalue(), err.getvalue())
        assert done.code == expect, f"{done.code}\n{done.stdout}\n{done.stderr}"
        return done

    def sync(self, *more: str, expect: int = 0) -> Any:
        return self.hub("sync", "acme", "--json", *more, expect=expect).json

    def started(self) -> Agency:
        """Write the exports and let the first delivery through."""
        self.shop.write()
        self.sync("--force")
        return self

    # hub, as a process of its own.

    def spawn(self, *arguments: str, preamble: str = "") -> subprocess.Popen[str]:
        code = f"import sys\n{preamble}\nfrom hub.cli.app import main\nmain(sys.argv[1:])"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        environment.pop("HUB_WORKSPACE", None)
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, *arguments: str, expect: int = 0, preamble: str = "") -> Done:
        return finish(self.spawn(*arguments, preamble=preamble), expect)

    # hub, called with a clock of the test's.

    def wiring(self, client: str = "acme") -> Wiring:
        workspace = load_workspace(self.folder)
        around = Surroundings(clock=self.clock, sleep=lambda _seconds: None, environ={})
        return Wiring(workspace, load_client(workspace, client), Plugins(self.folder), around)

    def run(self, **options: Any) -> RunNumbers:
        return run_client(self.wiring(), RunOptions("sync", **options))

    def members(self, connection: str = "list") -> dict[str, MemberState]:
        """Return what the ledger says of every member of a destination's only audience."""
        with Ledger.open(self.state, self.clock) as ledger:
            audience = next(each for each in ledger.audiences() if each.destination == connection)
            table = ledger.membership(audience.audience_id)
            return {row["member_key"]: MemberState(row["state"]) for row in table.to_pylist()}


def finish(process: subprocess.Popen[str], expect: int | None = 0) -> Done:
    """Wait for a process and check how it ended."""
    out, err = process.communicate(timeout=DEADLINE)
    assert expect is None or process.returncode == expect, f"{process.returncode}\n{out}\n{err}"
    return Done(process.returncode, out, err)


def until(happened: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for a condition, or fail after a deadline."""
    deadline = time.monotonic() + DEADLINE
    while not happened():
        if process is not None and process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"it ended too early: {process.returncode}\n{out}\n{err}")
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def told(done: Done) -> list[str]:
    """Return the lines that name errors."""
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


def only(items: Iterable[Any]) -> Any:
    """Return the one item there is."""
    (item,) = items
    return item
