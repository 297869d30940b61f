"""Text for the system's own scheduler: a tick; ``hub sync --all`` itself knows what is due, and in which time zone."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import gcd
from pathlib import Path

from cronsim import CronSim

_LONGEST_TICK = 15
"""Every time zone's offset is a multiple of 15 minutes, so such ticks meet full hours everywhere."""


def tick_minutes(schedules: Iterable[str | None]) -> int:
    """Return the longest tick, in minutes, that meets every schedule (None: due at every tick)."""
    tick = _LONGEST_TICK
    for schedule in schedules:
        if schedule is not None:
            tick = gcd(tick, *CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC)).minutes)
    return tick


def export_cron(workspace: Path, hub: Sequence[str], tick: int) -> str:
    """Return a crontab's lines; ``hub`` is the command as a list."""
    command = shlex.join([*hub, "sync", "--all", "--workspace", str(workspace)])
    log = shlex.quote(str(workspace / ".hub" / "sync.log"))
    minute = "*" if tick == 1 else f"*/{tick}"
    line = f"{command} >>{log} 2>&1".replace("%", r"\%")  # a bare % is a line break in a crontab
    return (
        "# hub: run what is due, each client in its own time zone.\n"
        "# Add it with: (crontab -l; hub schedule export --format cron) | crontab -\n"
        f"{minute} * * * * {line}\n"
    )


def export_systemd(workspace: Path, hub: Sequence[str], tick: int) -> str:
    """Return a service and a timer, to be saved as the files that the comments name."""
    command = " ".join(_quote(part) for part in [*hub, "sync", "--all", "--workspace", str(workspace)])
    return f"""\
# ~/.config/systemd/user/hub-sync.service
[Unit]
Description=hub: run what is due

[Service]
Type=oneshot
ExecStart={command}

# ~/.config/systemd/user/hub-sync.timer
# Then run: systemctl --user enable --now hub-sync.timer; loginctl enable-linger
[Unit]
Description=hub: look every {tick} minutes

[Timer]
OnCalendar=*:0/{tick}
Persistent=true

[Install]
WantedBy=timers.target
"""


def _quote(part: str) -> str:
    """Quote an argument by systemd's rules, where % and $ have meanings of their own."""
    escaped = part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
