"""A process that starts hub again and again, to be killed: everything is imported and set up in it once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Each run is a fork, so that a kill meets hub's work and not Python's imports. The check imports what the client's
# file needs and opens no catalog; whatever was made by then stays with the parent, out of the collector's way.
_NURSERY = """
import contextlib, gc, importlib, io, json, os, sys
for name in ("duckdb", "pyarrow.parquet", "pyarrow.fs", "pydantic", "encodings.utf_8_sig", "rich.console", "hub_csv",
             "hub.cli.pull", "hub.cli.sync", "hub.report.tables", "hub.sync.run", "hub.sync.apply"):
    importlib.import_module(name)
from hub.cli.app import main
with contextlib.redirect_stdout(io.StringIO()) as said:
    try:
        main(["check", sys.argv[1], "--offline"])
    except SystemExit as left:
        assert not left.code, said.getvalue()
gc.collect()
gc.freeze()
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
        """Start a command; return its process id."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for the command and return its exit code."""
        return int(self._line())

    def run(self, *arguments: str) -> None:
        """Run a command that must succeed."""
        self.start(*arguments)
        code = self.end()
        assert code == 0, code

    def run_and_kill(self, wait: float | Callable[[threading.Event], object], *arguments: str) -> bool:
        """Start a command and kill it after some seconds, or when ``wait`` returns; tell whether it was killed.

        ``wait`` gets what is set when the command ends by itself.
        """
        child = self.start(*arguments)
        ended = threading.Event()

        def wait_and_kill() -> None:
            if callable(wait):
                wait(ended)
            else:
                ended.wait(wait)
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                if not ended.is_set():
                    os.kill(child, signal.SIGKILL)

        watcher = threading.Thread(target=wait_and_kill)
        watcher.start()
        code = self.end()
        ended.set()
        watcher.join()
        assert code in {0, -signal.SIGKILL}
        return code != 0

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def nursery(folder: Path, preamble: str = "", client: str = "acme") -> Iterator[Nursery]:
    """Warm up in a workspace whose client can be checked, and wait for commands."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-c", preamble + _NURSERY, client],
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
