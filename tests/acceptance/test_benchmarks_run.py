"""The benchmarks run and produce their figures; how large those are is for `make bench` alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_every_row_of_the_budgets_gets_a_figure(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS), "--people", "300", "--rounds", "1"]

    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=240)

    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    for begin in (
        "hub --help",
        "hub plugins list",
        "six strategies",
        "first sync",
        "nothing to change",
        "first sync into Klaviyo's stand-in",
        "memory of that",
        "write calls",
        "memory",
        "analytics",
    ):
        assert any(row.startswith(begin) for row in rows), begin
    assert sum(row.startswith("loading") for row in rows) == 2
    assert sum(row.startswith("Shopify") for row in rows) == 2
    assert not list(tmp_path.iterdir())


def test_what_no_machine_can_excuse_holds_at_any_size(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS), "--people", "2000", "--rounds", "1", "--only", "calls"]

    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert "the fewest" in done.stdout
