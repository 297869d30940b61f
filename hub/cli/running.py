"""What commands that run something share: signals, progress, the sandbox, and showing numbers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.console import leave, notes, show, show_json
from hub.cli.options import open_client
from hub.cli.progress import show_progress
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.plugins import Plugins
    from hub.sync.numbers import RunNumbers
    from hub.sync.surroundings import Progress, Surroundings
    from hub.sync.wiring import StandIns, Wiring

AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="Compute for this instant (UTC), such as 2026-03-01T12:00:00Z."),
]
NoPullOption = Annotated[bool, typer.Option("--no-pull", help="Work with what was read last.")]
SandboxOption = Annotated[bool, typer.Option("--sandbox", help="Send everything to `hub sandbox`'s stand-ins.")]
_YEARS = range(1970, 2201)


def parse_as_of(text: str | None) -> datetime | None:
    """Read ``--as-of`` as naive UTC; a time without an offset is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--as-of {text!r} is not a time; write 2026-03-01T12:00:00Z") from None
    if moment.year not in _YEARS:
        raise ConfigError(f"--as-of {text!r} is not in the years {_YEARS[0]} to {_YEARS[-1]}")
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def make_wiring(
    workspace: Path | None, client: str, *, sandbox: bool = False, around: Surroundings | None = None
) -> Wiring:
    """Read a client's configuration and get it ready to be worked on."""
    from hub.plugins import Plugins
    from hub.sync.surroundings import Surroundings
    from hub.sync.wiring import Wiring

    opened, loaded = open_client(workspace, client)
    plugins = Plugins(opened.folder)
    return Wiring(
        opened, loaded, plugins, around or Surroundings(), find_stand_ins(opened.folder, plugins) if sandbox else None
    )


def find_stand_ins(workspace: Path, plugins: Plugins) -> StandIns:
    """Find the running sandbox's stand-ins. Raises ConfigError where none runs."""
    from hub.sandbox import read_sandbox
    from hub.sync.wiring import StandIns

    secrets = {stand_in.plugin: stand_in.secrets for stand_in in plugins.stand_ins()}
    return StandIns(read_sandbox(workspace), secrets)


@contextmanager
def surroundings(*, quiet: bool = False) -> Iterator[Surroundings]:
    """Give a run real time, a progress display unless ``quiet``, and Ctrl-C and SIGTERM as the wish to stop.

    The first signal lets the batch in flight end; a second Ctrl-C interrupts at once.
    """
    from hub.sync.surroundings import Surroundings, say_nothing

    stop = Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        notes().print("stopping after what is under way …")
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        silent: AbstractContextManager[Progress] = nullcontext(say_nothing)
        with silent if quiet else show_progress() as progress:

            def sleep(seconds: float) -> None:
                stop.wait(seconds)

            yield Surroundings(stop=stop, sleep=sleep, progress=progress)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show_run(numbers: RunNumbers, *, as_json: bool, delivered: bool) -> None:
    """Print a run's numbers and end the command with its exit code, unless that is 0."""
    print_run(numbers, as_json=as_json, delivered=delivered)
    if numbers.exit_code:
        leave(numbers.exit_code)


def print_run(numbers: RunNumbers, *, as_json: bool, delivered: bool) -> None:
    """Print a run's numbers: one JSON object on one line, or tables."""
    if as_json:
        show_json(numbers.as_json())
        return
    from hub.report.tables import run_tables, summary

    show(*run_tables(numbers, delivered=delivered))
    if delivered:
        show(summary(numbers))
