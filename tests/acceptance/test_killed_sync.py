"""A sync that is killed at any point: the next run finishes the job, and nothing harmful happens twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.keys import keyed_hash, load_key
from hub.ledger import MemberState
from tests.acceptance.kit import Agency, only

KILLS = 25
TRIES = 6  # a run may end before its time to be killed has come
NEW, WITHDRAWN = 25, 3
# Everything is imported once; each run is a fork of that, so that a kill meets hub's work and not Python's imports.
NURSERY = """
import importlib, json, os, sys
for name in ("duckdb", "pyarrow", "pydantic", "rich.console", "hub_csv", "hub.cli.sync", "hub.sync.run", "hub.sync.apply"):
    importlib.import_module(name)
from hub.cli.app import main
for line in sys.stdin:
    child = os.fork()
    if not child:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        try:
            main(json.loads(line))
        except SystemExit as left:
            os._exit(left.code or 0)
        finally:
            os._exit(99)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """Starts hub again and again, and kills it when told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def start(self, *arguments: str) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        return int(self._line())

    def run(self, *arguments: str) -> None:
        self.start(*arguments)
        code = self.end()
        assert code == 0, code

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def nursery(folder: Path, preamble: str = "") -> Iterator[Nursery]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-c", preamble + NURSERY],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Nursery(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)


def sync_and_kill(agency: Agency, hub: Nursery, chance: random.Random, longest: float) -> bool:
    """Start a sync and kill it after a while: half of the times once delivery began. Tell whether it was killed."""
    record = agency.folder / "outside" / "acme-list"
    written = record.stat().st_size
    child = hub.start("sync", "acme")
    ended = threading.Event()

    def wait_and_kill() -> None:
        if chance.random() < 0.5:
            while record.stat().st_size == written and not ended.is_set():
                time.sleep(0.001)
            ended.wait(chance.uniform(0, 0.06))
        else:
            ended.wait(chance.uniform(0, longest))
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            if not ended.is_set():
                os.kill(child, signal.SIGKILL)

    watcher = threading.Thread(target=wait_and_kill)
    watcher.start()
    code = hub.end()
    ended.set()
    watcher.join()
    assert code in {0, -signal.SIGKILL}
    return code != 0


@pytest.mark.parametrize("kind", ["keeper", "once"])
def test_a_sync_killed_at_random_points_is_finished_by_the_next(agency: Agency, kind: str) -> None:
    chance = random.Random(f"kills of {kind}")
    agency.change('plugin = "keeper"', f'plugin = "{kind}"')
    agency.shop.people(NEW)
    agency.started()
    killed, withdrawn = 0, set()
    with nursery(agency.folder) as hub:
        began = time.monotonic()
        hub.run("sync", "acme")
        longest = time.monotonic() - began
        for number in range(1, KILLS * TRIES + 1):
            if killed == KILLS:
                break
            if number % 2:  # the others find an export that is known, and what the kill before left to do
                agency.shop.people(NEW, start=1 + NEW * number)
                for customer in chance.sample(agency.shop.customers, WITHDRAWN):
                    customer.says = "no"
                    withdrawn.add(customer.email)
                agency.shop.write()
            killed += sync_and_kill(agency, hub, chance, longest)
        hub.run("sync", "acme")

    assert killed == KILLS
    received = Counter(each["key"] for each in agency.records() if each["op"] == "add")
    wanted = {address_key(agency, customer.email) for customer in agency.shop.customers} - {
        address_key(agency, email) for email in withdrawn
    }
    members = agency.members()
    held = {key for key, state in members.items() if state is MemberState.HELD}
    unknown = {key for key, state in members.items() if state is MemberState.UNKNOWN}
    if kind == "keeper":
        assert {address_key(agency, email) for email in agency.held()} == wanted
        assert held == wanted
        assert not unknown
        return
    assert set(received.values()) == {1}
    assert wanted - received.keys() <= unknown
    assert held <= received.keys()
    notes = " ".join(only(agency.sync("--no-pull")["syncs"]).get("notes", []))
    assert bool(unknown) == ("hub retry acme --unknown --only news" in notes)
    assert not unknown or f"whether {len(unknown)} people got it" in notes


def address_key(agency: Agency, email: str) -> str:
    return keyed_hash(load_key(agency.state), f"email:{email}")
