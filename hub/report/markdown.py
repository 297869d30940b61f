"""A plan as Markdown, for a ticket or a chat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.api import Section
from hub.report.words import how_long, meaning, people, shown
from hub.sync.numbers import RunNumbers, format_time


def plan_markdown(numbers: RunNumbers) -> str:
    """Return a plan's numbers as Markdown."""
    return "\n".join(_lines(numbers)) + "\n"


def _lines(numbers: RunNumbers) -> Iterator[str]:
    yield f"## Plan for {numbers.client}"
    if numbers.as_of:
        yield f"\nComputed for {format_time(numbers.as_of)}; nothing was sent.\n"
    yield "| sync | members | cleared | withheld | add | update | remove | unchanged | calls | takes about |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for sync in numbers.syncs:
        figures = (
            sync.members,
            sync.cleared,
            sum(sync.withheld.values()),
            sync.add,
            sync.update,
            sync.remove,
            sync.unchanged,
        )
        forecast = sync.forecast
        takes = (f"{forecast.calls:,}", how_long(forecast.minutes) if forecast.calls else "") if forecast else ("", "")
        yield f"| {sync.name} | " + " | ".join([*(f"{figure:,}" for figure in figures), *takes]) + " |"
    withheld = [(sync.name, code, number) for sync in numbers.syncs for code, number in sync.withheld.items()]
    if withheld:
        yield "\nWithheld:\n"
        for name, code, number in withheld:
            yield f"- {name}: {people(number)}, {code} ({meaning(code, numbers.codes)})"
    for sync in numbers.syncs:
        for guard in sync.guards:
            yield f"\n**{sync.name} waits**: {guard['text']}. Next: {guard['next_step']}."
    for section in numbers.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    """Yield a table that an extension adds."""
    yield f"\n### {_cell(section.title)}\n"
    yield _row(section.columns)
    yield _row("---" for _ in section.columns)
    yield from (_row(map(shown, row)) for row in section.rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
