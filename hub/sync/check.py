"""Check a client's wiring against the outside, changing nothing there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from hub.api import Connection, Finding, Level
from hub.catalog import CatalogSettings, safe_error
from hub.config.models import SegmentTest
from hub.errors import BusyError, ConfigError, HubError, PluginError
from hub.ledger import Ledger
from hub.segments import example_shop, review, try_segment
from hub.sync.lines import close_line
from hub.sync.wiring import Wiring
from hub.sync.withholding import WITHHOLDINGS, Withholder, parameters


def check_segments(wiring: Wiring) -> Iterator[Finding]:
    """Yield what is wrong with the segments together, and with the selects of their strategies."""
    try:
        definitions = wiring.definitions
    except ConfigError as error:
        yield Finding.error(str(error), next_step=error.next_step, code="config")
        return
    problems = list(review(definitions))
    yield from (Finding.error(str(each), next_step=each.next_step, code="segment") for each in problems)
    if not problems:
        yield from _try_segments(wiring)


def _try_segments(wiring: Wiring) -> Iterator[Finding]:
    """Yield how the examples of the client's segments came out."""
    client, settings = wiring.client, _settings(wiring)
    tried = failed = 0
    for name, segment in client.segments.items():
        for number, test in enumerate(segment.tests if segment.enabled else ()):
            where = segment.where.below("tests", number)
            tried += 1
            try:
                wrong = list(try_segment(wiring.definitions, name, test, settings))
            except HubError as error:
                failed += 1
                yield Finding.error(where.say(f"test {test.name!r}: {error}"), code="segment-test")
                continue
            failed += bool(wrong)
            for outcome in wrong:
                yield Finding.error(
                    where.say(f"test {test.name!r}: {outcome}"),
                    next_step="Correct the segment's settings, or what the test expects.",
                    code="segment-test",
                )
    if tried and not failed:
        yield Finding.ok(f"{tried} {'test' if tried == 1 else 'tests'} of segments passed")


def _settings(wiring: Wiring) -> CatalogSettings:
    client = wiring.client
    return CatalogSettings(client.country, client.currency, client.currencies, client.timezone)


def check_extensions(wiring: Wiring, taken: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with the extensions, which are active for every client.

    Those that can keep people from being added are errors, the others warnings. ``taken`` are hub's own commands.
    """
    extensions = wiring.plugins.extensions
    said: set[str] = set()
    for entry in extensions.entries():
        try:
            extensions.load(entry)
        except PluginError as error:
            said.add(str(error))
            bars = extensions.hooks(entry) & {"hub_before_run", WITHHOLDINGS}
            say = Finding.error if bars else Finding.warning
            yield say(str(error), next_step=error.next_step, code="extension")
    extensions.commands(taken)
    for broken in extensions.broken:
        if broken.reason not in said:
            yield Finding.warning(f"{broken.origin}: {broken.reason}", code="extension")
    if extensions.offering(WITHHOLDINGS):
        yield from (each for each in _try_withholdings(wiring) if each.text not in said)


def _try_withholdings(wiring: Wiring) -> Iterator[Finding]:
    """Run the checks that withhold on a shop without anybody."""
    nobody = SegmentTest(name="nobody", members=())
    with example_shop(nobody, _settings(wiring)) as session:
        try:
            Withholder(wiring.plugins.extensions, session).people(parameters(wiring.client.id, "", "", "", ""))
        except PluginError as error:
            yield Finding.error(str(error), next_step=error.next_step, code="extension")


def check_online(wiring: Wiring) -> Iterator[tuple[str, Finding]]:
    """Yield (connection, finding) for every source and destination that is switched on."""
    with wiring.open_ledger() as ledger:
        for name in wiring.live_sources:
            for finding in _ask(wiring, ledger, "source", name):
                yield f"source {name}", _weigh(wiring, name, finding)
        for name in wiring.live_destinations:
            yield from ((f"destination {name}", finding) for finding in _ask(wiring, ledger, "destination", name))


def _ask(wiring: Wiring, ledger: Ledger, kind: str, name: str) -> Iterator[Finding]:
    try:
        connection: Connection = wiring.source(name, ledger) if kind == "source" else wiring.destination(name, ledger)
    except HubError as error:
        yield Finding.error(str(error), next_step=error.next_step)
        return
    try:
        for finding in connection.check():
            if not isinstance(finding, Finding):
                raise TypeError(f"a finding is a {type(finding).__name__}")
            yield finding
    except HubError as error:
        yield Finding.error(str(error), next_step=error.next_step)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin's check that breaks is a finding about that plugin
        yield Finding.error(f"its check broke: {safe_error(error)}", next_step="report it to the plugin's author")
    finally:
        close_line(connection)


def _weigh(wiring: Wiring, name: str, finding: Finding) -> Finding:
    """Make light of what a source cannot give where another door to the same shop, or the client's file, gives it."""
    if finding.lacks is None:
        return finding
    if finding.lacks[0] == "consents" and wiring.client.consent.sources:
        return replace(finding, level=Level.INFO, text=f"{finding.text}, except by [[consent.from]]", next_step=None)
    return _weigh_beside_others(wiring, name, finding, *finding.lacks)


def _weigh_beside_others(wiring: Wiring, name: str, finding: Finding, table: str, column: str) -> Finding:
    sources = wiring.live_sources
    system = wiring.system_of(sources[name])
    others = [other for other, settings in sources.items() if other != name and wiring.system_of(settings) == system]
    if not others:
        return finding
    try:
        given = {each.source: each for each in wiring.catalog.given(table, column)}
    except BusyError as error:
        return replace(finding, level=Level.WARNING, text=f"{finding.text}; whether another source does: {error}")
    givers = [f"{other} gives {given[other].filled:,}" for other in others if other in given and given[other].filled]
    if givers:
        return replace(finding, level=Level.INFO, text=f"{finding.text}; {', '.join(givers)}", next_step=None)
    unread = [other for other in others if other not in given]
    if unread:
        text = f"{finding.text}; whether {' or '.join(unread)} does is seen after `hub pull {wiring.named}`"
        return replace(finding, level=Level.WARNING, text=text)
    return finding
