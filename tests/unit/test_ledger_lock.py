from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hub.errors import BusyError
from hub.ledger import lock

_HOLDER = """
import sys, time
from pathlib import Path
from hub.ledger import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_second_process_is_told_who_holds_the_client(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    process = start_holder(folder)
    try:
        with pytest.raises(BusyError, match=f"process {process.pid} is working on acme"), lock.hold(folder):
            pass
        assert lock.holder(folder) == process.pid
    finally:
        end(process)


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    end(start_holder(tmp_path))

    with lock.hold(tmp_path):
        assert lock.holder(tmp_path) == os.getpid()

    assert lock.holder(tmp_path) is None


def test_folder_that_nobody_ever_held_has_no_holder(tmp_path: Path) -> None:
    assert lock.holder(tmp_path / "never") is None
