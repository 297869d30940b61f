"""Draw the pictures of docs/reference/segments.md from docs/examples/strategies.toml; `make docs` runs this.

Each picture is an example's people, a line each: what they did, how long before, and whether they are in and why.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hub.api import parse_duration
from hub.catalog import CatalogSettings
from hub.config import load_client, load_workspace
from hub.config.models import SegmentTest
from hub.plugins import Plugins
from hub.segments import example_shop, explain, run_segments
from hub.sync.wiring import Wiring
from hub_predicted.buying import BgNbd, Histories
from hub_predicted.recovery import Recovery
from hub_predicted.worth import GammaGamma

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples" / "strategies.toml"
PICTURES = HERE / "reference" / "pictures"

BLUE, ORANGE, GREEN, GREY, PALE = "#2a6f97", "#d97706", "#2f855a", "#6b7280", "#e5e7eb"
_ROW, _WIDTH = 0.46, 9.0
_SHOWN = ("birth_date", "locale", "country", "postcode", "tags")
_DAY = 86_400.0


@dataclass(slots=True)
class Line:
    """One person of an example: marks (kind, days before, size or label), what is known, and the answer."""

    name: str
    marks: list[tuple[str, float, str]] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    member: bool = False
    reason: str = ""


def draw(name: str, test: SegmentTest, lines: Sequence[Line]) -> Figure:
    """Return the picture of one example."""
    figure = Figure(figsize=(_WIDTH, 0.75 + _ROW * len(lines)))
    longest = max((age for line in lines for _, age, _ in line.marks), default=0.0)
    left = figure.add_axes((0.07, 0.42 / figure.get_figheight(), 0.43, _ROW * len(lines) / figure.get_figheight()))
    top = 1 - 0.13 / figure.get_figheight()
    heading = figure.text(0.01, top, name, weight="bold", size=9, va="center")
    figure.canvas.draw()
    width = heading.get_window_extent().width / figure.bbox.width
    figure.text(0.01 + width + 0.015, top, test.name, size=8, va="center", color=GREY)
    for row, line in enumerate(lines):
        if longest:
            left.axhline(row, color=PALE, linewidth=1, zorder=0)
        for mark in line.marks:
            _mark(left, row, *mark)
        if line.known:
            left.text(
                -longest, row - (0.27 if longest else 0), "; ".join(line.known), size=7.5, color=GREY, va="center"
            )
        _answer(left, row, line)
    _axis(left, lines, longest)
    return figure


def _mark(axes: Axes, row: int, kind: str, age: float, label: str) -> None:
    shapes: dict[str, dict[str, Any]] = {
        "order": {"marker": "o", "color": BLUE, "s": 42},
        "discounted order": {"marker": "o", "color": ORANGE, "s": 42},
        "order that does not count": {"marker": "o", "facecolors": "white", "edgecolors": GREY, "s": 42},
        "cart": {"marker": "s", "facecolors": "white", "edgecolors": BLUE, "s": 42},
        "visit": {"marker": "^", "color": BLUE, "s": 22},
        "mail": {"marker": "_", "color": GREY, "s": 40},
        "opened": {"marker": "o", "facecolors": "white", "edgecolors": GREEN, "s": 24},
        "opened by a machine": {"marker": "x", "color": GREY, "s": 24},
        "clicked": {"marker": "*", "color": GREEN, "s": 52},
        "answer": {"marker": "D", "color": GREEN, "s": 20},
    }
    axes.scatter([-age], [row], zorder=3, **shapes[kind])
    if label:
        axes.text(-age, row - 0.27, label, size=6.5, color=GREY, ha="center", va="center")


def _answer(axes: Axes, row: int, line: Line) -> None:
    transform = axes.get_yaxis_transform()
    axes.text(1.03, row, "in" if line.member else "out", transform=transform, size=8, va="center",
              weight="bold" if line.member else "normal", color=BLUE if line.member else GREY)  # fmt: skip
    ages = re.sub(r"\d{4}-\d\d-\d\d[\d:.]* ?[\d:.]*( UTC)? \((.*?) ago\)", r"\2 ago", line.reason)
    reason = textwrap.shorten(ages, 150, placeholder=" …")
    axes.text(
        1.10,
        row,
        textwrap.fill(reason, 72),
        transform=transform,
        size=6.8,
        va="center",
        color="black" if line.member else GREY,
    )


def _axis(axes: Axes, lines: Sequence[Line], longest: float) -> None:
    axes.set_ylim(len(lines) - 0.45, -0.6)
    axes.set_yticks(range(len(lines)), [line.name for line in lines], size=8)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if not longest:
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        axes.set_xlim(0, 1)
        return
    axes.set_xlim(-longest * 1.06, longest * 0.04)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{abs(value):g}")
    axes.tick_params(axis="x", labelsize=7, colors=GREY)
    axes.set_xlabel("days before", size=7, color=GREY, labelpad=1)


def lines_of(test: SegmentTest) -> list[Line]:
    """Return the people of an example in the order of their names, with what the example says of them."""
    lines: dict[str, Line] = {}

    def of(address: str) -> Line:
        name = address.partition("@")[0]
        return lines.setdefault(name, Line(name))

    for row in test.people:
        of(row["email"]).known += [f"{key.replace('_', ' ')} {_text(row[key])}" for key in _SHOWN if key in row]
    for kind, who, age, label in _marks(test):
        of(who).marks.append((kind, age, label))
    for address in test.members:
        of(address)
    return sorted(lines.values(), key=lambda line: line.name)


def _marks(test: SegmentTest) -> Iterator[tuple[str, str, float, str]]:
    for row in test.orders:
        counted = row.get("status", "paid") in {"paid", "pending"}
        kind = "discounted order" if row.get("discount") else "order"
        kinds = ", ".join(str(line.get("product_type") or line.get("title", "")) for line in row.get("lines", ()))
        label = kinds or f"{row['total']:g}"
        yield (kind if counted else "order that does not count"), row["email"], _age(row["placed_at"], test), label
    for row in test.carts:
        yield "cart", row["email"], _age(row["created_at"], test), f"{row['total']:g}"
    for row in test.events:
        label = str(row.get("traffic_source") or row.get("product_type") or row["name"].replace("_", " "))
        yield "visit", row["user_id"], _age(row["happened_at"], test), label
    for row in test.engagement:
        kind = {"sent": "mail", "opened": "opened by a machine" if row.get("machine") else "opened"}.get(
            row["kind"], row["kind"]
        )
        yield kind, row["subject"], _age(row["happened_at"], test), ""
    for row in test.traits:
        yield "answer", row["subject"], _age(row["recorded_at"], test), f"{row['name']} {row['value']}"


def _age(value: Any, test: SegmentTest) -> float:
    """Return how many days before the example's instant something happened."""
    if isinstance(value, datetime):
        return (test.as_of - value).total_seconds() / _DAY
    distance = parse_duration(value)
    if not isinstance(distance, timedelta):
        raise TypeError(f"not a time of an example: {value!r}")
    return distance.total_seconds() / _DAY


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def examples(folder: Path) -> Iterator[tuple[str, SegmentTest, list[Line]]]:
    """Yield every strategy with its example and what hub says of the people in it; ``folder`` is for a workspace."""
    (folder / "clients").mkdir(parents=True, exist_ok=True)
    (folder / "hub.toml").touch()
    (folder / "clients" / "examples.toml").write_text(EXAMPLES.read_text(encoding="utf-8"), encoding="utf-8")
    workspace = load_workspace(folder)
    client = load_client(workspace, "examples")
    definitions = Wiring(workspace, client, Plugins(folder)).definitions
    settings = CatalogSettings(client.country, client.currency, client.currencies, client.timezone)
    for name, segment in client.segments.items():
        for test in segment.tests[:1]:
            lines = lines_of(test)
            with example_shop(test, settings) as session:
                run_segments(session, definitions, [name])
                for line in lines:
                    (person,) = session.find(f"{line.name}@example.com")
                    told = explain(session, definitions, name, person)
                    line.member, line.reason = bool(told.member), told.reason
            yield name, test, lines


# Strategies that predict need hundreds of customers, so their pictures show what the models say. The parameters are
# those published for the CDNOW sample: Fader, Hardie and Lee, "Counting Your Customers" the Easy Way (2005), table 2;
# and for worth Fader and Hardie, The Gamma-Gamma Model of Monetary Value (2013).
_BUYING = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
_WORTH = GammaGamma(p=6.25, q=3.74, gamma=15.44)
_AGE, _HORIZON = 104.0, 90 / 7
_PURCHASES = (1, 3, 6, 12)


def _of_customers(title: str, label: str, answer: Callable[[Histories], Any], bound: float) -> Figure:
    """Draw a probability by the time since the last purchase, a line per number of purchases after the first."""
    figure = Figure(figsize=(_WIDTH, 2.9), layout="constrained")
    axes = figure.subplots()
    silent = np.linspace(0, 52, 105)
    for repeats, colour in zip(
        _PURCHASES, mpl.colormaps["viridis"](np.linspace(0.1, 0.85, len(_PURCHASES))), strict=True
    ):
        customers = Histories(np.full(len(silent), repeats), _AGE - silent, np.full(len(silent), _AGE))
        axes.plot(silent, answer(customers), color=colour, label=f"{repeats} after the first")
    axes.axhline(bound, color=GREY, linewidth=0.8, linestyle="--")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(frameon=False, fontsize=8, title="purchases", title_fontsize=8)
    return _finished(figure, axes, title, "weeks since the last purchase (of a customer of two years)", label)


def _of_worth() -> Figure:
    figure = Figure(figsize=(_WIDTH, 2.9), layout="constrained")
    axes = figure.subplots()
    mean = np.linspace(5, 120, 100)
    for repeats, colour in zip(
        _PURCHASES, mpl.colormaps["viridis"](np.linspace(0.1, 0.85, len(_PURCHASES))), strict=True
    ):
        customers = Histories(np.full(1, repeats), np.full(1, _AGE - 8), np.full(1, _AGE))
        bought = _BUYING.expected_purchases(customers, 52.0)[0]
        axes.plot(
            mean,
            bought * _WORTH.expected_worth(np.full(100, repeats), mean),
            color=colour,
            label=f"{repeats} after the first",
        )
    axes.legend(frameon=False, fontsize=8, title="purchases", title_fontsize=8)
    title = "what a year of a customer is expected to be worth, the last purchase eight weeks ago"
    return _finished(
        figure, axes, f"top-predicted-value|{title}", "mean worth of a purchase so far", "expected in 52 weeks"
    )


def _of_carts() -> Figure:
    figure = Figure(figsize=(_WIDTH, 2.9), layout="constrained")
    axes = figure.subplots()
    hours = np.sort(np.random.default_rng(1).lognormal(2.3, 1.4, 500))
    ages = np.linspace(1, 120, 240)
    for constant, label in ((-2.2, "10 %"), (-0.85, "30 %"), (0.4, "60 %")):
        none = np.zeros((len(ages), 1))
        model = Recovery(np.zeros(1), np.ones(1), constant, np.zeros(1), hours)
        carts = SimpleNamespace(features=none)
        axes.plot(ages, model.still(carts, ages), label=label)  # type: ignore[arg-type]
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(frameon=False, fontsize=8, title="at first", title_fontsize=8)
    title = "carts that have not come back are less and less likely to"
    return _finished(figure, axes, f"likely-to-recover|{title}", "hours since the cart was left", "still comes back")


def _finished(figure: Figure, axes: Axes, title: str, x: str, y: str) -> Figure:
    name, _, text = title.partition("|")
    axes.set_title(f"{name}:  {text}", loc="left", fontsize=9)
    axes.set_xlabel(x, size=8, color=GREY)
    axes.set_ylabel(y, size=8, color=GREY)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7, colors=GREY)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def models() -> Iterator[tuple[str, Figure]]:
    """Yield the pictures of the strategies that predict."""
    lost = "likely-lost|the longer somebody who bought often is silent, the more likely they are lost"
    yield "likely-lost", _of_customers(lost, "probability of being alive", _BUYING.probability_alive, 0.25)
    back = "likely-to-return|who will buy again within 90 days, by themselves"
    yield (
        "likely-to-return",
        _of_customers(
            back, "probability of a purchase", lambda each: _BUYING.probability_of_return(each, _HORIZON), 0.5
        ),
    )
    yield "top-predicted-value", _of_worth()
    yield "likely-to-recover", _of_carts()


def main(only: Iterable[str] = ()) -> None:
    """Draw all pictures, or those named."""
    import tempfile

    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "hub", "font.family": "sans-serif"})
    PICTURES.mkdir(exist_ok=True)
    wanted = set(only)
    with tempfile.TemporaryDirectory(prefix="hub-pictures-") as folder:
        for name, test, lines in examples(Path(folder)):
            if not wanted or name in wanted:
                path = PICTURES / f"{name}.svg"
                draw(name, test, lines).savefig(path, metadata={"Date": None, "Creator": None})
    for name, figure in models():
        if not wanted or name in wanted:
            figure.savefig(PICTURES / f"{name}.svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main(sys.argv[1:])
