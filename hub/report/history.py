"""Tables about segments in the past, held against each other, and about how carts end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hub.report.tables import simple_table
from hub.report.words import count
from hub.segments import Bought, CartReport, Ending
from hub.segments.words import duration
from hub.sync.backtest import Backtest
from hub.sync.compare import Comparison, Sample

_MOST_ROWS = 10
_TITLES = {
    "step": "By checkout step",
    "hour": "By hour of the last change, in the shop's time zone",
    "product": "By product in the cart",
    "device": "By device",
    "segment": "By segment that the person is in now",
}


def backtest_tables(told: Backtest) -> Iterator[RenderableType]:
    """Show a segment's steps, and what to make of them."""
    within = duration(told.within)
    columns = ("as of (UTC)", "members", "entered", "left", "came back", f"bought in {within}", "others")
    table = simple_table(f"{told.segment} ({told.version}) in the past", *columns, numbers=6)
    for step in told.past.steps:
        table.add_row(
            f"{step.at:%Y-%m-%d %H:%M}",
            *(f"{number:,}" for number in (step.members, step.entered, step.left, step.returned)),
            _bought(step.members_bought),
            _bought(step.others_bought),
        )
    yield table
    past = told.past
    if past.people:
        share = past.flapping / past.people
        yield Text(
            f"Of {count(past.people, 'person', 'people')} ever in, {past.flapping:,} ({share:.0%}) left and came back."
        )
    yield Text(
        f'"bought in {within}" is who of the members placed an order in the time after, and "others" who of everybody '
        "else known then: what would have happened anyway."
    )
    for at, reason in told.unanswered.items():
        yield Text(f"no answer at {at:%Y-%m-%d %H:%M}: {reason}", style="dim")
    for words in told.no_past:
        yield Text(f"not known as it was then: {words}", style="dim")
    for note in told.notes:
        yield Text(f"note: {note}", style="dim")


def _bought(bought: Bought | None) -> str:
    if bought is None or bought.share is None:
        return ""
    return f"{bought.buyers:,} ({bought.share:.0%})"


def comparison_tables(told: Comparison) -> Iterator[RenderableType]:
    """Show how many people are where, and a sample of those on one side only."""
    one, other = told.one, told.other
    table = simple_table(f"{one.label} and {other.label}", "", "people", numbers=1)
    table.add_row("in both", f"{told.both:,}")
    table.add_row(f"only in {one.label}", f"{one.members - told.both:,}")
    table.add_row(f"only in {other.label}", f"{other.members - told.both:,}")
    yield table
    if told.only_one:
        yield _samples(f"In {one.label}, not in {other.label}", told.only_one)
    if told.only_other:
        yield _samples(f"In {other.label}, not in {one.label}", told.only_other)


def _samples(title: str, samples: Sequence[Sample]) -> Table:
    table = simple_table(title, "person", "why not")
    for sample in samples:
        table.add_row(sample.person, sample.reason)
    return table


def cart_tables(told: CartReport) -> Iterator[RenderableType]:
    """Show how carts ended, by everything that is known of them."""
    days = duration(told.window)
    total = _endings(f"Carts of the last {days}, as of {told.as_of:%Y-%m-%d %H:%M} UTC", "", [told.total])
    yield total
    for name, endings in told.by.items():
        if endings:
            shown = endings if name == "hour" else endings[:_MOST_ROWS]
            yield _endings(_TITLES[name], name, shown)
            if len(endings) > len(shown):
                yield Text(f"and {len(endings) - len(shown):,} more (--json has all)", style="dim")
    if told.funnel and any(told.funnel.values()):
        yield _funnel(told.funnel)
    yield Text(
        "left: alone for an hour after its last change · recovered: completed later, or the person ordered within "
        "7 days · lost: worth of the abandoned ones",
        style="dim",
    )
    for note in told.notes:
        yield Text(f"note: {note}", style="dim")


def _endings(title: str, name: str, endings: Sequence[Ending]) -> Table:
    columns = ("carts", "left", "of all", "recovered", "of those left", "abandoned", "lost")
    table = simple_table(title, name, *columns, numbers=len(columns))
    for each in endings:
        recovered = "" if each.recovered_share is None else f"{each.recovered_share:.0%}"
        value = f"{int(each.value):02}:00" if name == "hour" else each.value
        table.add_row(
            value, f"{each.carts:,}", f"{each.left:,}", f"{each.left_share:.0%}", f"{each.recovered:,}", recovered,
            f"{each.abandoned:,}", f"{each.lost:,.2f}",
        )  # fmt: skip
    return table


def _funnel(funnel: dict[str, int]) -> Table:
    table = simple_table("From a view to an order", "step", "visitors", "of the step before", "of all", numbers=3)
    before = first = next(iter(funnel.values()))
    for step, visitors in funnel.items():
        table.add_row(
            step,
            f"{visitors:,}",
            f"{visitors / before:.0%}" if before else "",
            f"{visitors / first:.0%}" if first else "",
        )
        before = visitors
    return table
