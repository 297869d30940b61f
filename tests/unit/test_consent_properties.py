"""The gate against a slow, literal reading of the reference: random shops, the same answers for everybody."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.consent_world import World, address_key

START = datetime(2026, 3, 1)
AS_OF_DAY = 5
END = datetime(9999, 12, 31)
NEVER = datetime(1, 1, 1)
CONSENT_REGIONS = {"DE", "DK", "GB", "CH"}
KNOWN = CONSENT_REGIONS | {"US", "CA", "JP", "AU", "BR"}
WEIGHT = ["unknown", "never", "subscribed", "pending", "refused", "invalid", "unsubscribed"]
STAGES = [
    "SUPPRESSED",
    "INVALID_ADDRESS",
    "OPTED_OUT",
    "SALE_OPT_OUT",
    "PENDING_CONFIRMATION",
    "NO_CONSENT",
    "ADS_CONSENT_MISSING",
    "REGION_UNKNOWN",
    "SINGLE_OPT_IN",
    "ADS_STORAGE_DENIED",
]
GROUNDS = {"OPT_IN", "SOFT_OPT_IN", "IMPLIED", "OPT_OUT_REGIME", "ADS_FLAGS", "OWN_SHOP"}


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def months_later(moment: datetime, months: int) -> datetime:
    """Add months to one of the first 28 days of a month."""
    years, month = divmod(moment.month - 1 + months, 12)
    return moment.replace(year=moment.year + years, month=month + 1)


class Reading:
    """What sections 1 and 3 of the reference say about one world, word by word."""

    def __init__(self, world: World, purpose: str, identify_by: tuple[str, ...]) -> None:
        self.world = world
        self.purpose = purpose
        self.identify_by = identify_by
        self.channel = {"sms_marketing": "sms", "ads": "ads"}.get(purpose, "email")
        self.as_of = world.as_of
        self.due = max(world.as_of, world.now or world.as_of)
        self.settings = {"double_opt_in": (), "us_email_mode": "opt_in", "us_ads_mode": "opt_in"} | world.settings

    # -- statements

    def statements(self, key: str) -> list[dict[str, Any]]:
        """Give every statement about an address on the channel a stance, a time and whether the time is its own."""
        found = []
        for row in self.world.rows["consent_records"]:
            if row["address_key"] != key or row["channel"] != self.channel:
                continue
            stance = self.stance(row)
            time = row["recorded_at"] or row["loaded_at"] or (None if stance == "subscribed" else END)
            own = row["recorded_at"] is not None and row["dated_by"] == "record"
            found.append(row | {"stance": stance, "time": time, "own": own})
        for row in found:
            row["turned"] = row["stance"] == "never" and self.said_yes_before(row, found)
        for row in found:
            if row["turned"]:
                row["stance"] = "unsubscribed"
        return found

    def stance(self, row: dict[str, Any]) -> str:
        flags = (row.get("ad_user_data"), row.get("ad_personalization")) if self.channel == "ads" else (None, None)
        if row["status"] in {"invalid", "unsubscribed"}:
            return str(row["status"])
        if False in flags:
            return "refused"
        if row["status"] != "pending" and flags == (True, True):
            return "subscribed"
        return str(row["status"])

    def said_yes_before(self, no: dict[str, Any], found: list[dict[str, Any]]) -> bool:
        said = [
            (row["time"] or NEVER, row["stance"] == "subscribed")
            for row in found
            if row["source"] == no["source"] and row["stance"] in {"subscribed", "never"}
        ]
        earlier = [entry for entry in said if entry[0] < no["time"]]
        return bool(earlier) and max(earlier)[1]

    def stands(self, row: dict[str, Any], found: list[dict[str, Any]]) -> bool:
        """Say whether the source's latest statement is of the same kind."""
        present = [
            (other["time"], WEIGHT.index(other["stance"]))
            for other in found
            if other["source"] == row["source"]
            and (other["stance"] != "subscribed" or (other["time"] is not None and other["time"] <= self.as_of))
        ]
        return bool(present) and WEIGHT[max(present)[1]] == row["stance"]

    def counts_now(self, row: dict[str, Any]) -> bool:
        in_time = row["time"] is not None and row["time"] <= self.as_of
        return in_time and not (row.get("expires_at") and row["expires_at"] <= self.due)

    def opt_ins(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """List the opt-ins that nothing took back."""
        kept = []
        for row in found:
            proof = row["basis"] in {"opt_in_single", "opt_in_double"}
            if self.channel == "ads":
                proof = proof or row["basis"] is None or self.flags(row)
            if row["stance"] == "subscribed" and proof and self.counts_now(row) and self.stands(row, found):
                kept.append(row)
        return kept

    def flags(self, row: dict[str, Any]) -> bool:
        return row.get("ad_user_data") is True and row.get("ad_personalization") is True

    # -- blocks

    def blocks(self, key: str) -> list[dict[str, Any]]:
        return [
            block | {"time": block["recorded_at"] or END}
            for block in self.world.blocks
            if block["address_key"] == key and (block["channel"] in {self.channel, "*"} or block["reason"] == "erasure")
        ]

    # -- one address

    def address(self, person: int, kind: str, value: str, key: str) -> dict[str, Any]:
        found = self.statements(key)
        blocks = self.blocks(key)
        own = max((row["time"] for row in self.opt_ins(found) if row["own"]), default=NEVER)
        liftable = [block for block in blocks if block["reason"] in {"unsubscribed", "soft_bounce"}]
        denials = [row for row in found if row["stance"] in {"unsubscribed", "invalid", "refused"}]
        wall = max((entry["time"] for entry in [*denials, *liftable]), default=None)
        standing = {row["stance"] for row in denials if row["time"] >= own}
        reasons = {block["reason"] for block in liftable if block["time"] >= own}
        reasons |= {block["reason"] for block in blocks} - {"unsubscribed", "soft_bounce"}
        answer = {
            "kind": kind,
            "value": value,
            "barred": bool(reasons & {"erasure", "complaint", "manual"}),
            "bounced": bool(reasons & {"hard_bounce", "soft_bounce"}),
            "invalid": "invalid" in standing,
            "opted_out": "unsubscribed" in standing or "unsubscribed" in reasons,
            "refused": "refused" in standing,
            "sale": self.channel == "ads" and self.sale_opt_out(key),
        }
        permits = [row for row in self.opt_ins(found) if wall is None or (row["own"] and row["time"] > wall)]
        pending = any(row["stance"] == "pending" and self.stands(row, found) for row in found)
        country = self.country(person, kind, value, self.decider(found, answer, pending, permits))
        answer["denied"] = self.denied(country)
        answer["code"], answer["at"] = self.judge(person, answer, found, permits, pending, country)
        return answer

    def sale_opt_out(self, key: str) -> bool:
        return any(row["address_key"] == key and row.get("sale_opt_out") for row in self.world.rows["consent_records"])

    def decider(self, found: Any, answer: Any, pending: bool, permits: Any) -> list[dict[str, Any]]:
        """List the statements of which the latest decides, so that its country counts."""
        if answer["invalid"]:
            return [row for row in found if row["stance"] == "invalid"]
        if any(row["stance"] == "unsubscribed" for row in found) and answer["opted_out"]:
            return [row for row in found if row["stance"] == "unsubscribed"]
        if answer["refused"]:
            return [row for row in found if row["stance"] == "refused"]
        if pending:
            return [row for row in found if row["stance"] == "pending" and self.stands(row, found)]
        return permits or found

    def country(self, person: int, kind: str, value: str, rows: list[dict[str, Any]]) -> str | None:
        """Follow the reference: record, orders or profile, phone, shop. Ties are avoided by the strategy."""
        if rows:
            decides = max(rows, key=lambda row: row["time"] or NEVER)
            if decides.get("country"):
                return str(decides["country"])
        orders = [row for row in self.world.rows["orders"] if row["person_id"] == person and row.get("country")]
        if orders:
            return str(max(orders, key=lambda row: row["placed_at"])["country"])
        profile = next(row for row in self.world.rows["people"] if row["person_id"] == person)
        phone = value if kind == "phone" else profile.get("phone")
        by_phone = {"+45": "DK", "+81": "JP"}.get((phone or "")[:3])
        return profile.get("country") or by_phone or self.world.country

    def denied(self, country: str | None) -> str:
        if country not in KNOWN:
            return "REGION_UNKNOWN"
        return "ADS_CONSENT_MISSING" if self.purpose == "ads" and country in CONSENT_REGIONS else "NO_CONSENT"

    def judge(self, person, answer, found, permits, pending, country) -> tuple[str, datetime | None]:
        if answer["barred"] or answer["bounced"]:
            return "SUPPRESSED", None
        if answer["invalid"]:
            return "INVALID_ADDRESS", None
        if answer["opted_out"]:
            return "OPTED_OUT", None
        if answer["sale"]:
            return "SALE_OPT_OUT", None
        if answer["refused"]:
            return answer["denied"], None
        if pending:
            return "PENDING_CONFIRMATION", None
        if self.purpose == "ads":
            return self.judge_ads(person, permits, country)
        return self.judge_message(person, found, permits, country)

    def judge_message(self, person, found, permits, country) -> tuple[str, datetime | None]:
        double = [row for row in permits if row["basis"] == "opt_in_double"]
        asked = self.settings["double_opt_in"]
        if permits and (country in asked or (country not in KNOWN and asked)):
            if not double:
                return ("REGION_UNKNOWN" if country not in KNOWN else "SINGLE_OPT_IN"), None
            return "OPT_IN", max(row["time"] for row in double)
        if permits:
            return "OPT_IN", max(row["time"] for row in permits)
        switch = {"email_marketing": "soft_opt_in", "cart_reminder": "cart_soft_opt_in"}.get(self.purpose, "")
        bought = [
            row["placed_at"]
            for row in self.world.rows["orders"]
            if row["person_id"] == person and row["counted"] and row["placed_at"] < self.as_of
        ]
        noticed = self.notice(found)
        if self.settings.get(switch) and country in CONSENT_REGIONS and bought and noticed:
            return "SOFT_OPT_IN", noticed
        if self.settings.get("casl_implied") and country == "CA":
            implied = [row["time"] for row in found if self.implies(row, found)]
            if implied:
                return "IMPLIED", max(implied)
            if bought and months_later(max(bought), 24) > self.due:
                return "IMPLIED", max(bought)
        if country == "US" and self.channel == "email" and self.settings["us_email_mode"] == "opt_out":
            return "OPT_OUT_REGIME", None
        return self.denied(country), None

    def notice(self, found: list[dict[str, Any]]) -> datetime | None:
        given = [row["time"] for row in found if row.get("notice") is True and self.counts_now(row)]
        missing = [row["time"] for row in found if row.get("notice") is False]
        missing = [time or NEVER for time in missing]
        return max(given) if given and (not missing or max(given) > max(missing)) else None

    def implies(self, row: dict[str, Any], found: list[dict[str, Any]]) -> bool:
        months = {"implied_purchase": 24, "implied_inquiry": 6}.get(row["basis"] or "")
        if months is None or not self.counts_now(row) or row["stance"] not in {"subscribed", "never", "unknown"}:
            return False
        if row["stance"] == "subscribed" and not self.stands(row, found):
            return False
        ends = row.get("expires_at") or (months_later(row["time"], months) if row["own"] else None)
        return ends is not None and ends > self.due

    def judge_ads(self, person, permits, country) -> tuple[str, datetime | None]:
        granted = [row for row in permits if self.flags(row)]
        strict = country in CONSENT_REGIONS or country not in KNOWN
        if granted:
            ground, at = "ADS_FLAGS", max(row["time"] for row in granted)
        elif permits and not strict:
            ground, at = "OPT_IN", max(row["time"] for row in permits)
        elif country == "US" and self.settings["us_ads_mode"] == "opt_out" and self.adult(person):
            ground, at = "OPT_OUT_REGIME", None
        else:
            return self.denied(country), None
        if self.storage_denied(person, strict, granted):
            return "ADS_STORAGE_DENIED", None
        return ground, at

    def adult(self, person: int) -> bool:
        profile = next(row for row in self.world.rows["people"] if row["person_id"] == person)
        born = profile.get("birth_date")
        return born is None or months_later(born, 12 * 16) <= self.as_of

    def storage_denied(self, person: int, strict: bool, granted: list[dict[str, Any]]) -> bool:
        heard = (*self.world.rows["events"], *self.world.rows["ads_signals"])
        events = [row for row in heard if row["person_id"] == person]
        signals = [row for row in events if row["ads_consent"] is not None]
        if signals:
            latest = max(row["happened_at"] for row in signals)
            if any(row["ads_consent"] is False for row in signals if row["happened_at"] == latest):
                return True
        analytics = {row["source"] for row in self.world.rows["events"]}
        if not strict or any(row["source"] not in analytics for row in granted):
            return False
        last = max((row["happened_at"] for row in events), default=None)
        return not events or not all(row["ads_consent"] for row in events if row["happened_at"] == last)

    # -- one person

    def person(self, person: int) -> tuple[str, dict[str, str]]:
        """Return the answer, and the address of each kind that may be used."""
        current = {
            (row["kind"], row["value"], row["address_key"])
            for row in self.world.rows["identities"]
            if row["person_id"] == person
        }
        shown = {
            (row["address_kind"], row["address"], row["address_key"])
            for row in self.world.rows["consent_records"]
            if row["person_id"] == person
        }
        everywhere = [self.address(person, *known) for known in current | shown]
        usable = [self.address(person, *known) for known in current if known[0] in self.identify_by]
        if any(answer["barred"] for answer in everywhere):
            return "SUPPRESSED", {}
        if not usable:
            return "NO_ADDRESS", {}
        best = max((answer["code"] for answer in usable), key=(*STAGES, *GROUNDS).index)
        if best in {"SUPPRESSED", "INVALID_ADDRESS"}:
            return best, {}
        if any(answer["opted_out"] for answer in everywhere):
            return "OPTED_OUT", {}
        if any(answer["sale"] for answer in everywhere):
            return "SALE_OPT_OUT", {}
        refused = [answer["denied"] for answer in everywhere if answer["refused"]]
        if refused:
            return max(refused, key=STAGES.index), {}
        if best in STAGES:
            return best, {}
        return self.chosen([answer for answer in usable if answer["code"] in GROUNDS])

    def chosen(self, cleared: list[dict[str, Any]]) -> tuple[str, dict[str, str]]:
        newest: dict[str, dict[str, Any]] = {}
        for answer in sorted(cleared, key=lambda answer: answer["at"] or NEVER):
            newest[answer["kind"]] = answer
        main = next(newest[kind] for kind in self.identify_by if kind in newest)
        ties = {answer["code"] for answer in cleared if answer["kind"] == main["kind"] and answer["at"] == main["at"]}
        return "|".join(sorted(ties)), {kind: answer["value"] for kind, answer in newest.items()}


class Chance:
    """Fill worlds at random: many small histories at once, on few days, so that times often meet."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def day(self) -> datetime:
        return day(self.random.randrange(9))

    def world(self, people: int = 20) -> World:
        world = World(country=self.one(None, "DK", "US", "CA", "JP", "DE"), as_of=day(AS_OF_DAY))
        world.now = self.one(None, day(AS_OF_DAY + 1))
        world.settings = {
            "soft_opt_in": self.one(True, False),
            "cart_soft_opt_in": self.one(True, False),
            "casl_implied": self.one(True, False),
            "us_email_mode": self.one("opt_in", "opt_out"),
            "us_ads_mode": self.one("opt_in", "opt_out"),
            "double_opt_in": self.one((), ("DE",), ("DE", "DK", "US")),
        }
        self.places_of_the_shared_phone = [self.place() for _ in range(3)]
        for number in range(1, people + 1):
            self.person(world, number)
        return world

    def person(self, world: World, number: int) -> None:
        emails = [f"{letter}{number}@x.dk" for letter in "ab"][: self.one(0, 1, 1, 1, 1, 2, 2)]
        phones = [self.one(f"+45200000{number:02}", f"+81900000{number:02}")] if self.one(True, False) else []
        if number > 1 and self.one(*range(8)) == 0:
            phones.append("+4520000001")
        born = self.one(None, None, datetime(2012, 1, 5), datetime(1990, 1, 5))
        place = self.place()
        world.person(number, emails=tuple(emails), phones=tuple(sorted({*phones})), country=place, birth_date=born)
        known = [*emails, *phones, f"old{number}@x.dk"] if self.one(*range(6)) == 0 else [*emails, *phones]
        # Simultaneous statements agree on the country: which of them names it is nobody's promise.
        countries = [self.one(place, self.place()) for _ in range(3)]
        for _ in range(self.one(0, 1, 1, 2, 2, 3, 4) if known else 0):
            self.statement(world, number, self.one(*known), countries)
        for _ in range(self.one(0, 0, 1, 2)):
            at = self.one(self.day(), self.day(), datetime(2024, 3, 2), datetime(2024, 3, 20))
            world.buys(at, number, counted=self.one(True, True, False), country=self.one(None, None, None, "DK"))
        for _ in range(self.one(0, 0, 1, 2)):
            world.browses(self.day(), self.one(None, True, True, True, False), number)
        if self.one(*range(8)) == 0:
            world.is_heard(self.day(), self.one(None, False), number)
        if known and self.one(*range(5)) == 0:
            reasons = ("unsubscribed",) * 4 + (
                "soft_bounce",
                "soft_bounce",
                "hard_bounce",
                "complaint",
                "manual",
                "erasure",
            )
            channel = self.one("*", "email", "ads", "sms")
            world.blocked(self.one(*known), self.one(*reasons), self.one(self.day(), self.day(), None), channel)

    def block(self, world: World) -> None:
        """Block one of the addresses that somebody has."""
        entry = self.one(*world.rows["identities"])
        world.blocked(entry["value"], self.one("unsubscribed", "manual", "soft_bounce"), self.one(world.as_of, None))

    def leave(self, world: World) -> None:
        """Let somebody leave the segment."""
        world.con.execute("delete from members where person_id = ?", [self.random.randrange(1, 21)])

    def place(self) -> str | None:
        return self.one(None, None, "DE", "DK", "US", "US", "CA", "CA", "JP", "XX", "GB", "AU")

    def statement(self, world: World, number: int, address: str, countries: list[str | None]) -> None:
        channel = self.one("ads", "sms" if address.startswith("+") else "email")
        status = self.one(*["subscribed"] * 8, *["never"] * 3, *["unknown"] * 2, "unsubscribed", "pending", "invalid")
        basis = self.one(*["opt_in_single"] * 4, *["opt_in_double"] * 3, "soft_opt_in", "none", None)
        if status in {"never", "unknown"} or self.one(*range(9)) == 0:
            basis = self.one(None, "implied_purchase", "implied_inquiry")
        at = self.one(*[self.day() for _ in range(6)], None)
        loaded = self.one(None, self.day())
        time = at or loaded
        countries = self.places_of_the_shared_phone if address == "+4520000001" else countries
        flag = self.one(True, None) if channel == "ads" else None
        world.says(
            address,
            channel,
            status,
            at,
            basis=basis,
            source=self.one("shop", "shop", "list", "web"),
            dated_by=self.one("record", "record", "record", "file", None),
            loaded_at=loaded,
            person_id=number,
            country=countries[time.day % 3] if time else None,
            notice=self.one(None, True, True, False),
            expires_at=self.one(*[None] * 6, self.day()),
            ad_user_data=flag,
            ad_personalization=self.one(flag, flag, flag, flag, None, False) if channel == "ads" else None,
            sale_opt_out=self.one(*[None] * 12, False, True),
        )


PURPOSES = [
    ("email_marketing", ("email", "phone")),
    ("cart_reminder", ("email",)),
    ("sms_marketing", ("phone",)),
    ("ads", ("email", "phone")),
    ("ads", ("phone",)),
]


def check(world: World, purpose: str, identify_by: tuple[str, ...]) -> dict[int, str]:
    """Compare everybody's answer with the reading, and return the answers."""
    expected = {
        row["person_id"]: Reading(world, purpose, identify_by).person(row["person_id"]) for row in world.rows["members"]
    }

    answers, cleared = world.ask(purpose, identify_by)

    rows = {row["person_id"]: row for row in cleared}
    for person, (code, used) in expected.items():
        if answers[person] == "SAME_ADDRESS":
            assert [row for row in cleared if row["member_key"] == address_key("phone", used["phone"])]
            continue
        assert answers[person] in code.split("|"), (person, code, answers[person])
        assert (person in rows) == bool(used)
        if used:
            check_addresses(world, Reading(world, purpose, identify_by), rows[person])
            assert all(rows[person][kind] is None for kind in {"email", "phone"} - set(used))
    assert len({row["member_key"] for row in cleared}) == len(cleared)
    return answers


def check_addresses(world: World, reading: Reading, row: dict[str, Any]) -> None:
    """Each address handed out is itself permitted, and none of its kind has a newer clearing record."""
    for kind in ("email", "phone"):
        known = [
            reading.address(row["person_id"], kind, entry["value"], entry["address_key"])
            for entry in world.rows["identities"]
            if entry["person_id"] == row["person_id"] and entry["kind"] == kind and kind in reading.identify_by
        ]
        cleared = {answer["value"]: answer["at"] or NEVER for answer in known if answer["code"] in GROUNDS}
        assert (row[kind] in cleared) if cleared else row[kind] is None
        assert not cleared or cleared[row[kind]] == max(cleared.values())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_the_gate_answers_as_the_reference_reads(seed: int) -> None:
    world = Chance(seed).world()
    world.gate()

    for purpose, identify_by in PURPOSES:
        check(world, purpose, identify_by)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_explain_says_what_clear_decides(seed: int) -> None:
    world = Chance(seed).world(people=4)
    gate = world.gate()

    for purpose, identify_by in PURPOSES:
        answers, rows = world.ask(purpose, identify_by)
        cleared = {row["person_id"] for row in rows}
        for person in answers.keys() - {person for person, code in answers.items() if code == "SAME_ADDRESS"}:
            decision = gate.explain(person, purpose, identify_by)
            assert (decision.code, decision.cleared) == (answers[person], person in cleared)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), reason=st.sampled_from(["unsubscribed", "complaint", "manual", "erasure"]))
def test_whoever_withdraws_on_any_address_is_cleared_for_nothing_more(seed: int, reason: str) -> None:
    world = Chance(seed).world()
    for entry in world.rows["identities"]:
        if entry["person_id"] % 2 and entry["value"][0] in "a+":
            world.blocked(entry["value"], reason, day(9))
    withdrawn = {
        entry["person_id"]
        for entry in world.rows["identities"]
        if entry["address_key"] in {block["address_key"] for block in world.blocks if block["recorded_at"] == day(9)}
    }
    world.gate()

    for purpose, identify_by in PURPOSES:
        assert not withdrawn & {row["person_id"] for row in world.ask(purpose, identify_by)[1]}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_without_a_single_permission_nobody_is_cleared(seed: int) -> None:
    world = Chance(seed).world()
    world.settings = {}
    for row in world.rows["consent_records"]:
        row["status"] = {"subscribed": "unknown"}.get(row["status"], row["status"])
        row["ad_user_data"] = None
    world.gate()

    for purpose, identify_by in PURPOSES:
        assert world.ask(purpose, identify_by)[1] == []


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), stored=st.integers(0, AS_OF_DAY))
def test_verdicts_stored_on_an_earlier_day_answer_as_the_reference_reads(seed: int, stored: int) -> None:
    world = Chance(seed).world()
    world.gate()
    world.store(day(stored), PURPOSES)
    world.look()

    for purpose, identify_by in PURPOSES:
        check(world, purpose, identify_by)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), days=st.sets(st.sampled_from([1, 3, 5, 200, 400, 800, 3650]), min_size=2))
def test_stored_verdicts_say_the_same_as_judging_anew_however_much_time_goes_by(seed: int, days: set[int]) -> None:
    world = Chance(seed).world()
    world.gate()
    fresh = []
    for number in sorted(days):
        world.as_of, world.now = day(number), None
        world.look()
        fresh.append([*(world.ask(*wanted) for wanted in PURPOSES), withdrawals(world)])
    world.store(day(min(days)), PURPOSES)

    for number, expected in zip(sorted(days), fresh, strict=True):
        world.as_of = day(number)
        world.look()
        assert [*(world.ask(*wanted) for wanted in PURPOSES), withdrawals(world)] == expected


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), days=st.lists(st.sampled_from([1, 3, 4, 5, 200, 800]), min_size=2, max_size=3))
def test_verdicts_that_follow_from_the_same_are_the_same(seed: int, days: list[int]) -> None:
    """Time goes by, people are blocked, members leave: ``standing`` may not be the same where anything came of it."""
    chance = Chance(seed)
    world = chance.world()
    world.gate()
    world.store(day(min(days)), PURPOSES)
    known: dict[Any, Any] = {}
    for number in sorted(days):
        world.as_of, world.now = day(number), None
        for happens in (chance.block, chance.leave):
            happens(world)
            gate = world.look()
            for purpose, identify_by in PURPOSES:
                standing = gate.standing("members", purpose=purpose, identify_by=identify_by)
                told = whole_answer(world, purpose, identify_by)
                assert standing == gate.standing("members", purpose=purpose, identify_by=identify_by) is not None
                assert known.setdefault((purpose, identify_by, standing), told) == told


def whole_answer(world: World, purpose: str, identify_by: tuple[str, ...]) -> Any:
    """Return all that a sync does with a verdict where nobody is sent: who is cleared where, who is withheld, hints."""
    verdict = world.made.clear("members", purpose=purpose, identify_by=identify_by)
    columns = "person_id, member_key, email, phone, customer_id"
    cleared = world.con.execute(f"select {columns} from {verdict.cleared.table} order by all").fetchall()
    withheld = world.con.execute(f"from {verdict.withheld} order by all").fetchall()
    return cleared, withheld, verdict.counts, verdict.hints


def withdrawals(world: World) -> set[tuple[str, str]]:
    """Return the addresses and channels on which a record says no."""
    return set(world.con.execute("select address_key, channel from consent_withdrawals").fetchall())
