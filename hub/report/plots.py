"""Pictures of segments, drawn with matplotlib (the extra ``plots``) and without a display."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.errors import HubError
from hub.segments import CartReport, Ending
from hub.segments.words import duration
from hub.sync.backtest import Backtest
from hub.sync.look import SegmentSize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREY, PALE = "#2a6f97", "#c2512f", "#6b7280", "#d1d5db"
_MOST_BARS = 10
_FEWEST_PLACES = 5
_ACROSS = 3
_LONGEST_LABEL = 28
_ROW = 0.32
"""Height of a segment's row, in inches."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty picture; sizes in inches.

    Raises:
        HubError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError:
        step = "install it: pip install 'audience-hub[plots]'"
        raise HubError("a picture needs matplotlib, which is not installed", next_step=step) from None
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a picture; the file's ending says as what (svg, png, pdf).

    Raises:
        HubError: the ending is not known, or the file cannot be written.
    """
    kinds = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in kinds:
        known = ", ".join(f".{kind}" for kind in ("svg", "png", "pdf"))
        raise HubError(f"{path.name}: a picture's file must end with {known}")
    try:
        figure.savefig(path, dpi=144, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise HubError(f"the picture cannot be written: {error}") from error


def draw_segments(sizes: Sequence[SegmentSize], client: str, as_of: datetime) -> Figure:
    """Draw each segment as a row: its size, its sizes in earlier runs, and the share that it has in each other one."""
    known = [size for size in sizes if not size.error]
    rows = max(len(known), 1)
    figure = new_figure(9 + 0.28 * rows, 1.6 + _ROW * rows)
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 0.25 + 0.13 * rows], sharey=False)
    figure.suptitle(f"{client}: segments as of {as_of:%Y-%m-%d %H:%M} UTC", x=0.01, ha="left", fontweight="bold")
    _draw_sizes(axes[0], known)
    _draw_history(axes[1], known, as_of)
    _draw_overlap(axes[2], known)
    return figure


def _draw_sizes(axes: Axes, sizes: Sequence[SegmentSize]) -> None:
    places = range(len(sizes))
    axes.barh(places, [size.members for size in sizes], color=PALE, height=0.7, label="members")
    reached = [size.reachable.get("email", 0) for size in sizes]
    axes.barh(places, reached, color=BLUE, height=0.35, label="of them by e-mail")
    axes.set_yticks(places, [size.name for size in sizes])
    for place, size in enumerate(sizes):
        axes.annotate(f" {size.members:,}", (size.members, place), va="center", fontsize=8, color=GREY)
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1)
    axes.margins(x=0.15)
    _plain(axes, len(sizes))


def _draw_history(axes: Axes, sizes: Sequence[SegmentSize], as_of: datetime) -> None:
    """Draw a line per segment, each between its own smallest and largest size."""
    for place, size in enumerate(sizes):
        points: list[tuple[Any, int]] = sorted(
            {when.replace(tzinfo=None): n for when, n in size.history.items()}.items()
        )
        points.append((as_of.replace(tzinfo=None), size.members))
        least, most = min(n for _when, n in points), max(n for _when, n in points)
        heights = [place + 0.3 - 0.6 * ((n - least) / (most - least) if most > least else 0.5) for _when, n in points]
        axes.plot([when for when, _n in points], heights, color=BLUE, linewidth=1.2)
        axes.plot([points[-1][0]], heights[-1:], color=BLUE, marker="o", markersize=3)
    axes.set_title("in earlier runs, each by its own scale", loc="left", fontsize=8, color=GREY)
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=7, labelrotation=30)
    _plain(axes, len(sizes))


def _draw_overlap(axes: Axes, sizes: Sequence[SegmentSize]) -> None:
    shares = [
        [(size.overlap.get(other.name, 0) / size.members if size.members else 0.0) for other in sizes] for size in sizes
    ]
    if shares:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, size in enumerate(sizes):
        for column, other in enumerate(sizes):
            share = shares[row][column]
            if size is not other and share >= 0.005:
                colour = "white" if share > 0.6 else "black"
                axes.text(column, row, f"{share:.0%}".rstrip("%"), ha="center", va="center", fontsize=6, color=colour)
    axes.set_xticks(range(len(sizes)), [size.name for size in sizes], rotation=90, fontsize=7)
    axes.set_yticks([])
    axes.set_title("% of the row's members who are also in the column's segment", loc="left", fontsize=8, color=GREY)
    _plain(axes, len(sizes))


def _plain(axes: Axes, rows: int) -> None:
    """Take away what says nothing, and put the rows of all pictures on one height, the first on top."""
    axes.set_ylim(rows - 0.5, -0.5)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)


def draw_backtest(told: Backtest, client: str) -> Figure:
    """Draw a segment's past: its size, who entered and left, and who bought afterwards."""
    figure = new_figure(8, 6.5)
    figure.suptitle(f"{client}: {told.segment} in the past", x=0.01, ha="left", fontweight="bold")
    size, moves, bought = figure.subplots(3, 1, sharex=True, height_ratios=[2, 1.3, 1.3])
    steps = told.past.steps
    times = [step.at for step in steps]
    size.fill_between(times, [step.members for step in steps], color=PALE, step=None)
    size.plot(times, [step.members for step in steps], color=BLUE, marker="o", markersize=3)
    size.set_ylim(bottom=0)
    _titled(size, "members")
    moves.vlines(times, 0, [step.entered for step in steps], color=BLUE, linewidth=5, label="entered")
    moves.vlines(times, 0, [-step.left for step in steps], color=GREY, linewidth=5, label="left")
    moves.axhline(0, color=GREY, linewidth=0.5)
    _titled(moves, "entered (up) and left (down)")
    for label, colour, shares in (
        ("members", BLUE, [step.members_bought and step.members_bought.share for step in steps]),
        ("everybody else", GREY, [step.others_bought and step.others_bought.share for step in steps]),
    ):
        known = [(at, share) for at, share in zip(times, shares, strict=True) if share is not None]
        bought.plot(
            [at for at, _ in known], [share for _, share in known], color=colour, marker="o", markersize=3, label=label
        )
    bought.yaxis.set_major_formatter("{x:.0%}")
    bought.set_ylim(bottom=0)
    bought.legend(frameon=False, fontsize=8, loc="upper right", bbox_to_anchor=(1, 1.25), ncols=2)
    _titled(bought, f"bought in the {duration(told.within)} after")
    bought.tick_params(axis="x", labelsize=8)
    return figure


def draw_carts(told: CartReport, client: str) -> Figure:
    """Draw how carts ended, by everything that is known of them, and the way from a view to an order."""
    panels: list[Callable[[Axes], None]] = [
        partial(_draw_endings, name=name, endings=endings if name == "hour" else endings[:_MOST_BARS])
        for name, endings in told.by.items()
        if endings
    ]
    if told.funnel and any(told.funnel.values()):
        panels.append(partial(_draw_funnel, funnel=told.funnel))
    rows = max(1, -(-len(panels) // _ACROSS))
    figure = new_figure(4.4 * _ACROSS, 0.8 + 3.2 * rows)
    title = f"{client}: carts of the last {duration(told.window)}, as of {told.as_of:%Y-%m-%d %H:%M} UTC"
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    grid = figure.subplots(rows, _ACROSS, squeeze=False).flat
    for axes, draw in zip_longest(grid, panels):
        if draw is None:
            axes.set_axis_off()
        else:
            draw(axes)
    if told.total.carts:
        figure.legend(
            *grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False, fontsize=9
        )
    return figure


def _draw_endings(axes: Axes, name: str, endings: Sequence[Ending]) -> None:
    """Draw a bar per value: bought at once, recovered, abandoned."""
    counts = (
        ("bought at once", PALE, [each.carts - each.left for each in endings]),
        ("recovered", BLUE, [each.recovered for each in endings]),
        ("abandoned", RED, [each.abandoned for each in endings]),
    )
    start = [0] * len(endings)
    for label, colour, values in counts:
        if name == "hour":
            axes.bar([int(each.value) for each in endings], values, bottom=start, color=colour, label=label)
        else:
            places = range(len(endings))
            axes.barh(places, values, left=start, color=colour, label=label, height=0.7)
        start = [one + other for one, other in zip(start, values, strict=True)]
    axes.tick_params(labelsize=8)
    if name == "hour":
        axes.set_xticks(range(0, 24, 4), [f"{hour:02}:00" for hour in range(0, 24, 4)])
    else:
        axes.set_yticks(range(len(endings)), [_short(each.value) for each in endings])
        axes.set_ylim(max(len(endings), _FEWEST_PLACES) - 0.4, -0.6)
    _titled(axes, f"carts by {name}")


def _draw_funnel(axes: Axes, funnel: dict[str, int]) -> None:
    axes.barh(list(funnel), list(funnel.values()), color=BLUE)
    most = max(funnel.values())
    for place, visitors in enumerate(funnel.values()):
        axes.annotate(f" {visitors:,} ({visitors / most:.0%})", (visitors, place), va="center", fontsize=8, color=GREY)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.tick_params(labelsize=8)
    _titled(axes, "visitors who came at least so far")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=9, color=GREY)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
