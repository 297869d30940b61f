"""What leaves the client's file is retired, not forgotten."""

from __future__ import annotations

import pytest

from tests.acceptance.kit import CLIENT, Agency, only, told

P1 = "p1@example.com"
SYNC = CLIENT[CLIENT.index("[syncs.news]") :]
DESTINATION = CLIENT[CLIENT.index("[destinations.list]") : CLIENT.index("[syncs.news]")]


def notes_about(done: dict[str, list[str]], words: str) -> list[str]:
    return [note for note in done.get("notes", []) if words in note]


def test_a_sync_that_left_the_file_is_named_and_keeps_getting_withdrawals(running: Agency) -> None:
    running.change(SYNC, "")
    running.hub("suppress", "acme", P1)

    first, second = running.sync(), running.sync()

    for done in (first, second):
        note = only(notes_about(done, "kept by no sync"))
        assert "'all'" in note
        assert "hub retire acme 'all' --empty" in note
    assert first["syncs"] == []
    assert only(first["retired"])["remove"] == 1
    assert P1 not in running.held()
    assert len(running.held()) == 19


def test_retire_empty_takes_everybody_out_and_ends_it(running: Agency) -> None:
    assert "still keeps audience" in only(told(running.hub("retire", "acme", "all", "--empty", expect=2)))
    running.change(SYNC, "")

    said = running.hub("retire", "acme", "all", "--empty").stdout

    assert "emptied and ended" in said
    assert running.held() == set()
    assert not notes_about(running.sync(), "kept by no sync")


def test_retire_leave_ends_it_as_it_is(running: Agency) -> None:
    running.change(SYNC, "")
    writes = running.writes()

    running.hub("retire", "acme", "all", "--leave")

    assert running.writes() == writes
    assert len(running.held()) == 20
    assert not notes_about(running.sync(), "kept by no sync")


def test_a_destination_that_left_the_file_is_named_with_what_to_do(running: Agency) -> None:
    running.change(SYNC, "")
    running.change(DESTINATION, "")

    done = running.sync()

    note = only(notes_about(done, "kept by no sync"))
    assert "still holds 20 people" in note
    assert "put [destinations.list] back" in note
    running.add(DESTINATION)
    running.hub("suppress", "acme", P1)
    running.sync()
    assert P1 not in running.held()


def test_was_renames_a_sync_and_sends_nothing(running: Agency) -> None:
    running.change("[syncs.news]", '[syncs.letters]\nwas = "news"')
    writes = running.writes()

    done = running.sync()

    sync = only(done["syncs"])
    assert (sync["name"], sync["status"], sync["calls"], sync["unchanged"]) == ("letters", "ok", 0, 20)
    assert not done.get("notes")
    assert running.writes() == writes


def test_a_paused_sync_adds_nobody_and_still_removes_who_withdrew(running: Agency) -> None:
    running.add("enabled = false\n")
    running.shop.people(3, start=50).write()
    running.hub("suppress", "acme", P1)

    running.sync()

    assert running.held() == {f"p{n}@example.com" for n in range(2, 21)}


def test_a_segment_that_left_while_a_sync_names_it_is_a_mistake(running: Agency) -> None:
    running.change('[segments.all]\nplugin = "everyone"\n', "")

    assert "'all'" in only(told(running.hub("sync", "acme", expect=2)))
    assert len(running.held()) == 20


@pytest.mark.parametrize("how", ["paused", "deleted"])
def test_an_audience_that_no_sync_keeps_is_judged_by_what_it_was_for(agency: Agency, how: str) -> None:
    agency.change('country = "DK"', 'country = "US"')
    for customer in agency.shop.people(4).customers:
        customer.country = "US"
    agency.add('purpose = "ads"\n')
    agency.add('[consent]\nus_ads_mode = "opt_out"\n')
    agency.started()
    assert len(agency.held()) == 4
    agency.change(SYNC + 'purpose = "ads"\n', SYNC + 'purpose = "ads"\nenabled = false\n' if how == "paused" else "")
    agency.sync()

    agency.hub("suppress", "acme", P1, "--channel", "ads")
    agency.sync()

    assert agency.held() == {"p2@example.com", "p3@example.com", "p4@example.com"}


def test_of_two_audiences_with_one_name_the_one_that_holds_somebody_is_ended(running: Agency) -> None:
    running.change("[destinations.list]", '[destinations.other]\nplugin = "keeper"\n\n[destinations.list]')
    running.change('destination = "list"', 'destination = "other"')
    running.hub("retire", "acme", "all", "--leave")
    running.sync("--force")
    running.change('[syncs.news]\nsegment = "all"\ndestination = "other"\n', "")
    running.sync()

    said = running.hub("retire", "acme", "all", "--empty").stdout

    assert "audience 'all' at other was emptied and ended" in said
    assert running.held("other") == set()


def test_a_paused_sync_whose_destination_is_off_promises_no_removals(running: Agency) -> None:
    running.change('plugin = "keeper"', 'plugin = "keeper"\nenabled = false')
    running.change('segment = "all"', 'segment = "all"\nenabled = false')

    notes = running.sync()["notes"]

    assert len(notes) == 1
    assert notes[0].startswith("sync news is paused; list is switched off, so that nobody who withdraws leaves its")
