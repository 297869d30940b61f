"""What a system's scheduler is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.schedule import export_cron, export_systemd, tick_minutes


@pytest.mark.parametrize(
    ("schedules", "tick"),
    [
        ([], 15),
        ([None], 15),
        (["0 9 * * *"], 15),
        (["*/15 * * * *", "30 * * * *"], 15),
        (["*/10 * * * *"], 5),
        (["7 * * * *"], 1),
        (["0 9 * * *", "6 * * * *"], 3),
        (["* * * * *"], 1),
    ],
)
def test_the_tick_is_the_longest_that_meets_every_schedule(schedules: list[str | None], tick: int) -> None:
    assert tick_minutes(schedules) == tick


def test_cron_gets_one_line_that_quotes_its_paths() -> None:
    text = export_cron(Path("/srv/50% of shops"), ["/opt/hub env/bin/hub"], 15)

    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == [
        r"*/15 * * * * '/opt/hub env/bin/hub' sync --all --workspace '/srv/50\% of shops' "
        r">>'/srv/50\% of shops/.hub/sync.log' 2>&1"
    ]


def test_a_tick_of_a_minute_is_a_star() -> None:
    assert "\n* * * * * hub sync --all" in export_cron(Path("/w"), ["hub"], 1)


def test_systemd_gets_a_service_and_a_timer() -> None:
    text = export_systemd(Path("/srv/50% of $shops"), ["/opt/hub"], 5)

    assert 'ExecStart="/opt/hub" "sync" "--all" "--workspace" "/srv/50%% of $$shops"' in text
    assert "OnCalendar=*:0/5" in text
    assert "Persistent=true" in text
