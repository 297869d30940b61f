"""``hub segments``: how large each segment is, and who is in it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.console import leave, note, results, show, show_json
from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption
from hub.cli.running import AsOfOption, NoPullOption, make_wiring, parse_as_of, surroundings

app = typer.Typer(no_args_is_help=True, help="The segments of a client: sizes, samples, their past and their overlap.")

SegmentArgument = Annotated[str, typer.Argument(metavar="SEGMENT", help="The segment's name.")]
ShowAddressesOption = Annotated[bool, typer.Option("--show-addresses", help="Do not mask addresses.")]
PlotOption = Annotated[
    Path | None,
    typer.Option(
        "--plot", metavar="FILE", dir_okay=False, help="Write a picture (.svg, .png or .pdf); needs the extra `plots`."
    ),
]


@app.command("list")
def list_segments(
    client: ClientArgument,
    no_pull: NoPullOption = False,
    as_of: AsOfOption = None,
    overlap: Annotated[bool, typer.Option("--overlap", help="Show which share of each is also in each other.")] = False,
    plot: PlotOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how large each segment is, how it changed since the last run, and how many of it may be reached how."""
    from hub.sync.look import list_segments as look

    with surroundings() as around:
        wiring = make_wiring(workspace, client, around=around)
        found = look(wiring, parse_as_of(as_of), pull=not no_pull)
        instant = parse_as_of(as_of) or around.now()
    if plot:
        from hub.report.plots import draw_segments, save

        save(draw_segments(found, wiring.client.name, instant), plot)
    if as_json:
        show_json([each.as_json() for each in found])
    else:
        from hub.report.segments import overlap_tables, sizes_table

        show(sizes_table(found))
        if overlap:
            show(*overlap_tables(found, results().width))
        told: dict[str, list[str]] = {}
        for each in found:
            for text in each.notes:
                told.setdefault(text, []).append(each.name)
            if each.error:
                note(f"✗ {each.name}: {each.error}")
        for text, names in told.items():
            note(f"note: {', '.join(names)}: {text}")
    if any(each.error for each in found):
        leave(4)


@app.command("backtest")
def backtest_segment(
    client: ClientArgument,
    segment: SegmentArgument,
    months: Annotated[int, typer.Option("--months", min=1, max=120, help="How far back.")] = 12,
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Time between instants, such as 7d. Default: a month.")
    ] = None,
    within: Annotated[str, typer.Option("--within", metavar="TIME", help="Time in which an order counts.")] = "30d",
    no_pull: NoPullOption = False,
    as_of: AsOfOption = None,
    plot: PlotOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a segment on the past: its size, who entered and left, who came back, and who bought anyway."""
    from hub.sync.backtest import backtest

    steps = (_duration("--every", every), _duration("--within", within))
    with surroundings() as around:
        wiring = make_wiring(workspace, client, around=around)
        told = backtest(
            wiring, segment, months=months, every=steps[0], within=steps[1] or timedelta(days=30),
            as_of=parse_as_of(as_of), pull=not no_pull,
        )  # fmt: skip
    if plot:
        from hub.report.plots import draw_backtest, save

        save(draw_backtest(told, wiring.client.name), plot)
    if as_json:
        show_json(told.as_json())
        return
    from hub.report.history import backtest_tables

    show(*backtest_tables(told))


@app.command("carts")
def carts(
    client: ClientArgument,
    window: Annotated[str, typer.Option("--window", metavar="TIME", help="How far back.")] = "90d",
    no_pull: NoPullOption = False,
    as_of: AsOfOption = None,
    plot: PlotOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show why carts are left: how they ended by product, step, hour, device and segment, and the way to an order."""
    from hub.sync.carts import look_at_carts

    length = _duration("--window", window) or timedelta(days=90)
    with surroundings() as around:
        wiring = make_wiring(workspace, client, around=around)
        told = look_at_carts(wiring, length, parse_as_of(as_of), pull=not no_pull)
    if plot:
        from hub.report.plots import draw_carts, save

        save(draw_carts(told, wiring.client.name), plot)
    if as_json:
        show_json(told.as_json())
        return
    from hub.report.history import cart_tables

    show(*cart_tables(told))


@app.command("diff")
def diff(
    client: ClientArgument,
    one: Annotated[str, typer.Argument(metavar="A", help="A segment, or NAME@TIME for a segment as it was then.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many people of each side to explain.")] = 5,
    show_addresses: ShowAddressesOption = False,
    no_pull: NoPullOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold two segments, or one segment at two times, against each other, and explain a few people of each side."""
    from hub.sync.compare import compare_segments

    with surroundings() as around:
        wiring = make_wiring(workspace, client, around=around)
        told = compare_segments(wiring, _at(one), _at(other), limit=limit, masked=not show_addresses, pull=not no_pull)
    if as_json:
        show_json(told.as_json())
        return
    from hub.report.history import comparison_tables

    show(*comparison_tables(told))


def _at(text: str) -> tuple[str, datetime | None]:
    name, at, time = text.partition("@")
    return name, parse_as_of(time) if at else None


def _duration(option: str, text: str | None) -> timedelta | None:
    """Read a length of time. Raises ConfigError where it is none, or none at all."""
    from hub.api import ConfigError, parse_duration

    try:
        length = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None
    if length == timedelta(0):
        raise ConfigError(f"{option}: must be longer than nothing")
    return length if isinstance(length, timedelta) else None


@app.command("preview")
def preview(
    client: ClientArgument,
    segment: SegmentArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many members.")] = 10,
    show_addresses: ShowAddressesOption = False,
    no_pull: NoPullOption = False,
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a sample of a segment's members with their evidence; addresses are masked unless asked for."""
    from hub.sync.look import preview_segment

    with surroundings() as around:
        wiring = make_wiring(workspace, client, around=around)
        rows = preview_segment(
            wiring, segment, limit=limit, masked=not show_addresses, as_of=parse_as_of(as_of), pull=not no_pull
        )
    if as_json:
        show_json(rows)
        return
    from hub.report.segments import preview_table

    show(preview_table(segment, rows))
