"""A delivery that is killed at any point: the next run finishes the job, and no mail is sent twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from hub import api
from hub.ledger import MemberState
from tests.deliver_kit import ADD, Clock, Keeper, World, can

MEMBERS = [f"k{number:02}" for number in range(12)]
# Everything is imported once, and no file is open in it: each run is a fork of that.
_NURSERY = """
import json, os, sys, traceback
from pathlib import Path
from tests.integration import test_deliver_killed as victim
for line in sys.stdin:
    folder, dies_at, kind = json.loads(line)
    child = os.fork()
    if not child:
        try:
            victim.run_until(Path(folder), dies_at, kind == "repeatable")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Doom:
    """Kill the process at a chosen step; every look at the clock (the ledger takes one per write) is a step too."""

    def __init__(self, dies_at: int) -> None:
        self.dies_at = dies_at
        self.step = 0

    def tick(self) -> None:
        self.step += 1
        if self.step == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


class DoomedClock(Clock):
    def __init__(self, doom: Doom) -> None:
        super().__init__()
        self.doom = doom

    def __call__(self) -> datetime:
        self.doom.tick()
        return super().__call__()


class Recording(Keeper):
    """Write down in a file whom it got, as an outside system would."""

    def __init__(self, file: Path, doom: Doom, repeatable: bool) -> None:
        super().__init__(can=can(ops={ADD: api.Limit(3)}, repeatable=repeatable))
        self.file = file
        self.doom = doom

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        for member in batch:
            self.doom.tick()
            with self.file.open("a") as file:
                file.write(json.dumps(member.key) + "\n")
            self.doom.tick()
            yield member.delivered()


def run_until(folder: Path, dies_at: int, repeatable: bool) -> None:
    """Do one run: add whom the plan would add, dying at a step (0: never)."""
    doom = Doom(dies_at)
    world = World(folder / "client", DoomedClock(doom))
    destination = Recording(folder / "outside", doom, repeatable)
    settled = {MemberState.HELD} if repeatable else {MemberState.HELD, MemberState.UNKNOWN}
    held = {key for key, state in world.states(destination).items() if state in settled}
    missing = [key for key in MEMBERS if key not in held]
    if missing:
        world.deliver(destination, add=missing)
    world.ledger.end_run(world.run_id, "ok", {})
    world.close()


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    """Start a process whose children run once each."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-c", _NURSERY], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate(timeout=60)


def run_in_child(nursery: subprocess.Popen[str], folder: Path, dies_at: int, kind: str) -> int:
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(json.dumps([str(folder), dies_at, kind]) + "\n")
    nursery.stdin.flush()
    return int(nursery.stdout.readline())


@pytest.mark.parametrize("kind", ["repeatable", "once"])
@pytest.mark.parametrize("dies_at", range(1, 46, 4))
def test_killed_delivery_is_finished_by_the_next_run(
    nursery: subprocess.Popen[str], tmp_path: Path, dies_at: int, kind: str
) -> None:
    assert run_in_child(nursery, tmp_path, dies_at, kind) == -signal.SIGKILL

    run_until(tmp_path, 0, kind == "repeatable")

    got = [json.loads(line) for line in (tmp_path / "outside").read_text().splitlines()]
    world = World(tmp_path / "client")
    states = world.states(Keeper())
    unknown = {key for key, state in states.items() if state is MemberState.UNKNOWN}
    world.close()
    if kind == "repeatable":
        assert set(got) == set(MEMBERS)
        assert set(states.values()) == {MemberState.HELD}
    else:
        assert len(got) == len(set(got))
        assert len(unknown) in {0, 3}
        assert set(MEMBERS) - set(got) <= unknown
