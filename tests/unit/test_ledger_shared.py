"""A ledger that several connections and processes have open at once: what one writes, all others see."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.ledger import Ledger

_SUPPRESS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from hub.ledger import Ledger, NewBlock
with Ledger.open(Path(sys.argv[1]), lambda: datetime.now(UTC)) as ledger:
    ledger.add_blocks([NewBlock(key, "email", "manual", datetime.now(UTC), "hub suppress") for key in sys.argv[2:]])
"""


def suppress(folder: Path, *keys: str) -> None:
    """Write blocks as another process does, which opens the ledger, writes and leaves."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", _SUPPRESS, str(folder), *keys], env=environment, check=True)


@pytest.mark.parametrize("left_open", [True, False], ids=["two at once", "one after the other"])
def test_what_other_processes_write_is_seen_and_kept(tmp_path: Path, left_open: bool) -> None:
    clock = lambda: datetime.now(UTC)  # noqa: E731
    with Ledger.open(tmp_path, clock) as ledger:
        other = Ledger.open(tmp_path, clock)
        if not left_open:
            other.close()
        seen = []
        for number in range(4):
            suppress(tmp_path, f"k{number}")
            seen.append({block.address_key for block in ledger.blocks_since(0)})
            ledger.memory("news").set("n", number)
        if left_open:
            other.close()

    assert seen == [{"k0"}, {"k0", "k1"}, {"k0", "k1", "k2"}, {"k0", "k1", "k2", "k3"}]
    with Ledger.open(tmp_path, clock) as ledger:
        assert {block.address_key for block in ledger.blocks_since(0)} == {"k0", "k1", "k2", "k3"}
        assert ledger.memory("news").get("n") == 3


def test_a_new_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "acme", lambda: datetime.now(UTC)) as ledger:
        assert ledger.path.stat().st_mode & 0o777 == 0o600
