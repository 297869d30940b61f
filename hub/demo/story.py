"""The story the demonstration tells; every promise in it is checked as it goes."""

from __future__ import annotations

import csv
import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.panel import Panel
from rich.text import Text

from hub.config import load_client, load_workspace
from hub.demo.clients import WORKSPACE, client_file, shared_segments
from hub.demo.shops import SHOPS, ShopPlan, write_shop
from hub.plan.file import read_plan
from hub.plugins import Plugins
from hub.report.person import explanation_parts
from hub.report.segments import sizes_table
from hub.report.tables import delivery_table, next_steps, simple_table, sources_table, syncs_table, withheld_table
from hub.sandbox import Sandbox
from hub.sync.apply import apply_plan, plan_writer
from hub.sync.check import check_online
from hub.sync.explain import explain
from hub.sync.look import list_segments
from hub.sync.numbers import RunNumbers, Status
from hub.sync.run import RunOptions, pull_client, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring

Show = Callable[..., None]
Rows = list[dict[str, str]]


class StoryError(Exception):
    """Something the demonstration promises did not happen."""


class Story:
    """Two invented shops in a workspace, from their exports to mails and audience files."""

    def __init__(self, folder: Path, around: Surroundings, show: Show) -> None:
        self.folder, self.around, self.show = folder, around, show
        self.plugins = Plugins(folder)

    def tell(self) -> None:
        """Tell it from beginning to end. Raises StoryError where a promise does not hold."""
        with Sandbox(self.plugins.stand_ins(), self.folder) as sandbox:
            mail = sandbox.stand_ins["smtp"]
            self._make_workspace(sandbox.running.addresses["smtp"])
            for plan in SHOPS:
                self._main_job(plan, mail.state)
            acme = SHOPS[0]
            self._nothing_to_do(acme)
            self._withdrawal(acme)
            self._truncated_export(acme)
            self._one_person(acme)
        self._say("That is all. Everything above was checked as it was shown.")

    def _make_workspace(self, mail: str) -> None:
        self._chapter(
            "A workspace with two shops", "Their Shopify exports are invented, from a seed; nobody in them exists."
        )
        (self.folder / "clients").mkdir(exist_ok=True)
        strategies = [each.name for each in self.plugins.entries("segment") if each.distribution == "audience-hub"]
        text = f"{WORKSPACE}\n{shared_segments(strategies)}"
        (self.folder / "hub.toml").write_text(text, encoding="utf-8")
        (self.folder / ".gitignore").write_text(".hub/\naudiences/\nexports/\n", encoding="utf-8")
        for place, file in self.plugins.load("destination", "smtp").starter_files().items():
            (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, self.folder / place)
        table = simple_table("Exports", "client", "file", "rows", numbers=1)
        for plan in SHOPS:
            exports = self.folder / "exports" / plan.client
            write_shop(plan, exports, self.around.clock())
            (self.folder / "clients" / f"{plan.client}.toml").write_text(client_file(plan, mail), encoding="utf-8")
            tools = self.folder / "exports" / f"{plan.client}-tools"
            for path in (*sorted(exports.iterdir()), *sorted(tools.iterdir())):
                table.add_row(plan.client, path.name, f"{len(_read(path)[1]):,}")
            days = sorted((self.folder / "exports" / f"{plan.client}-web").iterdir())
            visits = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in days)
            table.add_row(plan.client, f"{days[0].name} … ({len(days)} days)", f"{visits:,}")
        self.show(table)

    def _main_job(self, plan: ShopPlan, mails: Callable[[], Mapping[str, Any]]) -> None:
        wiring = self._wiring(plan)
        self._chapter(f"{plan.name}: check, pull, segments", "hub check · hub pull · hub segments list")
        self._check(wiring)
        pulled = pull_client(wiring)
        self._require(pulled.exit_code == 0, f"pulling {plan.client} ended with {pulled.status.value}")
        self.show(sources_table(pulled.sources))
        sizes = list_segments(wiring, None, pull=False)
        self._require(all(size.members for size in sizes), "a segment of the demo is empty")
        if plan is not SHOPS[0]:
            text = (self.folder / "hub.toml").read_text(encoding="utf-8")
            shared = tomllib.loads(text)["segments"]
            sizes = [size for size in sizes if size.name not in shared]
        self.show(sizes_table(sizes))

        self._chapter(
            f"{plan.name}: plan, then apply exactly that plan", "hub plan --out plan.json · hub apply plan.json"
        )
        file = self.folder / f"{plan.client}-plan.json"
        planned = run_client(wiring, RunOptions("plan", pull=False, deliver=False, inspect=plan_writer(file)))
        self._require(all(sync.guards for sync in planned.syncs), "a first delivery was not held for a human's word")
        before = len(mails()["mails"])
        numbers = apply_plan(wiring, read_plan(file))
        withheld = withheld_table(numbers.syncs, numbers.codes)
        self.show(syncs_table(numbers.syncs), delivery_table(numbers.syncs), withheld)
        self._require(numbers.status is Status.OK, f"delivering {plan.client} ended with {numbers.status.value}")
        self._verify_delivery(plan, numbers, mails()["mails"][before:])

    def _check(self, wiring: Wiring) -> None:
        table = simple_table("Check", "where", "finding")
        for where, finding in check_online(wiring):
            self._require(finding.level != "error", f"{where}: {finding.text}")
            if "columns found" not in finding.text:
                table.add_row(where, finding.text)
        self.show(table)

    def _verify_delivery(self, plan: ShopPlan, numbers: RunNumbers, mails: list[Mapping[str, Any]]) -> None:
        """Hold what arrived against what was reported, and against the shop's own consent column."""
        said_yes = {row["Email"] for row in self._customers(plan) if row["Accepts Email Marketing"] == "yes"}
        reminders, win_back, vips = numbers.syncs
        receivers = [mail["to"] for mail in mails]
        self._require(len(receivers) == reminders.delivered, "the mail server has another number of mails")
        self._require(len(set(receivers)) == len(receivers), "somebody got two mails")
        newsletter = {row["email"] for row in _read(self._audience(plan))[1]}
        self._require(len(newsletter) == win_back.delivered, "the audience file has another number of people")
        self._require({*receivers, *newsletter} <= said_yes, "somebody who never said yes was delivered")
        hashed = _read(self.folder / "audiences" / f"{plan.client}-ads" / "high-spenders.csv")[1]
        self._require(len(hashed) == vips.delivered, "the ads file has another number of people")
        first = mails[0]
        self.show(
            Panel(
                Text(f"To: {first['to']}\nSubject: {first['subject']}\n\n{first['text'].strip()}"),
                title=f"one of {len(mails)} mails, as it arrived",
                title_align="left",
                width=84,
            )
        )

    def _nothing_to_do(self, plan: ShopPlan) -> None:
        self._chapter("A second run", "Nothing changed in the shop: no calls.")
        numbers = self._sync(plan)
        self._require(sum(sync.calls for sync in numbers.syncs) == 0, "a second run made calls")
        self._require(numbers.status is Status.OK, f"a second run ended with {numbers.status.value}")

    def _withdrawal(self, plan: ShopPlan) -> None:
        person = sorted(row["email"] for row in _read(self._audience(plan))[1])[0]
        self._chapter("Somebody withdraws consent", f"{person} said no in the shop; the next export says so.")
        customers = self._customers(plan)
        for row in customers:
            if row["Email"] == person:
                row["Accepts Email Marketing"] = "no"
        self._write_customers(plan, customers)
        numbers = self._sync(plan)
        win_back = next(sync for sync in numbers.syncs if sync.name == "win-back")
        left = {row["email"] for row in _read(self._audience(plan))[1]}
        self._require(win_back.remove == 1 and person not in left, "the person who withdrew is still in the audience")
        self._require(win_back.withheld.get("OPTED_OUT") == 1, "the withdrawal is not told as an opt-out")

    def _truncated_export(self, plan: ShopPlan) -> None:
        self._chapter(
            "A truncated export", "Two thirds of the customers are missing from the file: surely an accident."
        )
        before = self._audience(plan).read_bytes()
        whole = self._customers(plan)
        self._write_customers(plan, whole[: len(whole) // 3])
        numbers = self._sync(plan)
        self._require(numbers.exit_code == 3, f"the guard let it pass (exit code {numbers.exit_code})")
        self._require(self._audience(plan).read_bytes() == before, "an audience changed although the guard refused")
        self._write_customers(plan, whole)
        again = self._sync(plan, quiet=True)
        self._require(again.exit_code == 0, "the whole export was refused as well")
        self._say("The whole export is back: the next run is fine again.")

    def _one_person(self, plan: ShopPlan) -> None:
        person = sorted(row["email"] for row in _read(self._audience(plan))[1])[0]
        self._chapter("One person, explained", f"hub explain {plan.client} {person}")
        found = explain(self._wiring(plan), person)
        self._require(len(found) == 1, "the person is not found")
        stays = [stay for standing in found[0].audiences for stay in standing.spells]
        self._require(bool(stays), "what was delivered is not told")
        self._require(any(each.member for each in found[0].segments), "no segment explains the person")
        self.show(*explanation_parts(found[0], self.around.now()))

    def _sync(self, plan: ShopPlan, *, quiet: bool = False) -> RunNumbers:
        numbers = run_client(self._wiring(plan), RunOptions("sync"))
        if not quiet:
            self.show(syncs_table(numbers.syncs), delivery_table(numbers.syncs), *next_steps(without_guards(numbers)))
        return numbers

    def _wiring(self, plan: ShopPlan) -> Wiring:
        workspace = load_workspace(self.folder)
        return Wiring(workspace, load_client(workspace, plan.client), self.plugins, self.around)

    def _audience(self, plan: ShopPlan) -> Path:
        return self.folder / "audiences" / plan.client / "inactive.csv"

    def _customers(self, plan: ShopPlan) -> Rows:
        return _read(self._customers_file(plan))[1]

    def _customers_file(self, plan: ShopPlan) -> Path:
        return self.folder / "exports" / plan.client / "customers_export.csv"

    def _write_customers(self, plan: ShopPlan, rows: Rows) -> None:
        path = self._customers_file(plan)
        header = _read(path)[0]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header)
            writer.writeheader()
            writer.writerows(rows)

    def _chapter(self, title: str, text: str) -> None:
        self.show(Text(f"\n{title}", style="bold cyan"), Text(text, style="dim"))

    def _say(self, text: str) -> None:
        self.show(Text(text, style="green"))

    def _require(self, happened: bool, otherwise: str) -> None:
        if not happened:
            raise StoryError(otherwise)


def without_guards(numbers: RunNumbers) -> RunNumbers:
    """Return the numbers for showing: a source's trouble is told once, not once more by each of its syncs."""
    return replace(numbers, syncs=[replace(sync, guards=[]) for sync in numbers.syncs])


def _read(path: Path) -> tuple[list[str], Rows]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        return list(reader.fieldnames or ()), rows
