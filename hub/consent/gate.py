"""Decide who may be reached: no proof of permission, no delivery; a withdrawal always wins.

The rules are data (``rules.toml``), the work is SQL (``state.sql`` merges what was said about each address,
``clear.sql`` judges the members of a segment). This is the only module that makes ``Cleared``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.consent.cleared import _GATE, Cleared
from hub.consent.rules import CHANNELS, GROUNDS, Rule, prefixes, rulebook
from hub.consent.stored import QUERIES, Wanted, known, mark
from hub.consent.verdict import Barrier, Decision, Verdict
from hub.errors import ConfigError
from hub.sql import digest_of, load_queries, run

if TYPE_CHECKING:
    import duckdb

    from hub.config.models import ConsentSettings

_numbers = count(1)
_KINDS = {"email": "email", "phone": "phone", "customer": "customer", "customer_id": "customer"}
_TABLE_NAME = re.compile(r"[A-Za-z_]\w*")
_NO_TIME = 9999
_STATE = load_queries("hub.consent", "state.sql")
_APART = frozenset(["blocks", "everything", "no_dirty", "narrowed", "narrowed_withdrawals"])
_MERGING = tuple(name for name in _STATE if name not in _APART)
NO_BLOCKS = pa.schema(
    [
        *((name, pa.string()) for name in ("address_key", "channel", "reason", "origin")),
        ("recorded_at", pa.timestamp("us")),
    ]
).empty_table()
"""What the ledger hands out while nobody is blocked."""
_NONE_STORED = "consent_no_verdicts"


class Gate:
    """Judge segments and persons of one run.

    ``con`` is the run's catalog session, with the views consent_records, identities, people, orders, order_places,
    events and ads_signals and the macro ``keyed_hash``. ``blocks`` are the ledger's: address_key, channel (or
    ``*``), reason, recorded_at, origin. ``country`` is the shop's. Making a gate merges all statements and leaves
    the temporary view ``consent_state``: one row per address and channel, with the record that decides and the
    block that applies.

    Where the catalog keeps verdicts (``store``) that hold for these settings and this instant, only what may differ
    from them is merged and judged.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        *,
        settings: ConsentSettings,
        country: str | None,
        as_of: datetime,
        now: datetime,
        blocks: pa.Table,
    ) -> None:
        self._con = con
        self._settings = settings
        self._country = country
        self._as_of = naive(as_of)
        self._mark = mark(settings, country)
        self._stored = known(con, self._mark, self._as_of)
        self._narrowed = False
        self._set("consent_as_of", "timestamp", self._as_of)
        self._set("consent_due", "timestamp", max(self._as_of, naive(now)))
        self._set("consent_country", "text", country)
        self._load_data()
        con.register("consent_block_input", blocks)
        try:
            con.execute(_STATE["blocks"])
        finally:
            con.unregister("consent_block_input")
        con.execute(QUERIES["no_verdicts"])
        con.execute(_STATE["no_dirty"])
        self._merge(narrowed=bool(self._stored))

    def clear(self, members: str, *, purpose: str, identify_by: tuple[str, ...]) -> Verdict:
        """Judge the persons of a table or view with a column person_id, each once.

        ``identify_by`` are the kinds of address the destination knows people by, the main one first;
        ``customer_id:shop`` means the ids of that system's customers.

        Raises:
            ConfigError: there is no such purpose, or it is none that a customer id can be cleared for.
            ValueError: ``members`` or ``identify_by`` is not a name that can be meant.
        """
        tables = self._cleared([members], purpose, identify_by)
        for block in ("shared", "unshared", "withheld"):
            self._run(block, tables)
        counts = {str(code): int(people) for code, people in self._run("counts", tables).fetchall()}
        cleared = Cleared(self._con, tables["$cleared"], purpose, _GATE)
        return Verdict(cleared, tables["$withheld"], counts, tuple(self._hints(purpose, cleared, counts)))

    def standing(self, members: str, *, purpose: str, identify_by: tuple[str, ...]) -> str | None:
        """Return what ``clear`` would follow from, or None where no verdicts are stored.

        Equal answers mean equal verdicts: on the same members, from the same stored verdicts, with the same decided
        about those whom this run judges anew. That costs a fraction of judging.

        Raises:
            ConfigError: there is no such purpose.
            ValueError: a name that ``clear`` would not take.
        """
        if (purpose, identify_by) not in self._stored:
            return None
        tables = self._ask([members], purpose, identify_by)
        self._run("cleared", tables | {"$stored": _NONE_STORED})
        wanted = {"purpose": purpose, "kinds": list(identify_by)}
        basis = self._con.execute(QUERIES["basis"], wanted).fetchall()
        names = tables | {"$digest": digest_of("person_id")}
        found = self._con.execute(_filled(QUERIES["standing"], names)).fetchall()
        self._con.execute(_filled("drop table $cleared", tables))
        return sha256(repr((wanted, self._mark, basis, found)).encode()).hexdigest() if basis else None

    def count(self, segments: Sequence[str], *, purpose: str, identify_by: tuple[str, ...]) -> list[int]:
        """Return how many members of each table ``clear`` would clear, judging everybody in any of them once.

        Two members at one address are contacted once, so it is the addresses that are counted.

        Raises:
            ConfigError: there is no such purpose.
            ValueError: a name that ``clear`` would not take.
        """
        if not segments:
            return []
        tables = self._cleared(segments, purpose, identify_by)
        counts = []
        for members in segments:
            [(reached,)] = self._run("reached", tables | {"$members": members}).fetchall()
            counts.append(int(reached))
        self._con.execute(_filled("drop table $cleared", tables))
        return counts

    def explain(self, person_id: int, purpose: str, identify_by: tuple[str, ...]) -> Decision:
        """Say what the gate decides about one person, and on what it rests.

        Raises:
            ConfigError: there is no such purpose.
        """
        if self._narrowed:
            self._merge(narrowed=False)
        self._con.execute(
            "create or replace temporary table consent_members as select $person_id::bigint as person_id",
            {"person_id": person_id},
        )
        self._judge(purpose, identify_by)
        answer = self._run("decided")
        names = [column[0] for column in answer.description or ()]
        [found] = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
        return Decision(
            purpose=purpose,
            cleared=bool(found["cleared"]),
            code=str(found["code"]),
            address_kind=found["kind"],
            address=found["address"],
            rule=self._words(found["regime"], purpose),
            blocks=tuple(self._barriers()),
            **{name: found[name] for name in ("source", "status", "basis", "recorded_at", "dated_by", "evidence")},
            **{name: found[name] for name in ("expires_at", "regime", "country", "region", "place_from")},
        )

    def store(self, wanted: Iterable[Wanted]) -> None:
        """Keep in the catalog what is decided about everybody, for each purpose and kinds of address.

        The session must be one that may write, as of now, and this gate one without blocks: those are the ledger's,
        and every run asks it. It takes the further view ``dated_later`` (person_id, source): about whom something is
        recorded that lies after the session's instant.
        """
        all_wanted = sorted({*wanted, *self._stored})
        if self._narrowed:
            self._merge(narrowed=False)
        self._con.execute(QUERIES["tables"])
        for number, (purpose, identify_by) in enumerate(all_wanted):
            tables = {"$table": f"verdicts_{number}", "$cleared": f"consent_stored_{number}", "$stored": _NONE_STORED}
            self._con.execute(QUERIES["everybody"])
            self._run("unanswered", tables)
            self._judge(purpose, identify_by)
            self._run("cleared", tables)
            self._con.execute(_filled(QUERIES["verdicts"], tables))
            self._con.execute(QUERIES["moves"])
            row = {"purpose": purpose, "kinds": list(identify_by), "table": tables["$table"]}
            self._con.execute(QUERIES["keep"], {**row, "mark": self._mark, "judged_at": self._as_of})
            self._con.execute(_filled("drop table $cleared", tables))
        for block in ("changing", "withdrawn", "reported"):
            self._con.execute(QUERIES[block])

    def _cleared(self, segments: Sequence[str], purpose: str, identify_by: tuple[str, ...]) -> dict[str, str]:
        """Judge the members of some tables and put who is cleared into a table; return the names of the work's tables.

        Two persons at one address are both in it.
        """
        tables = self._ask(segments, purpose, identify_by)
        self._run("cleared", tables)
        return tables

    def _ask(self, segments: Sequence[str], purpose: str, identify_by: tuple[str, ...]) -> dict[str, str]:
        """Judge the members of some tables of whom no stored verdict stands; return the names of the work's tables."""
        wrong = [name for name in segments if not _TABLE_NAME.fullmatch(name)]
        if wrong:
            raise ValueError(f"not the name of a table: {wrong[0]!r}")
        asked = " union ".join(f"select person_id from {name}" for name in segments)
        self._con.execute(f"create or replace temporary table consent_asked as select distinct * from ({asked})")
        number = next(_numbers)
        tables = {
            "$cleared": f"consent_cleared_{number}",
            "$withheld": f"consent_withheld_{number}",
            "$stored": self._stored.get((purpose, identify_by), _NONE_STORED),
        }
        self._run("unanswered", tables)
        if self._narrowed and self._run("strangers").fetchall()[0][0]:
            self._merge(narrowed=False)
        self._judge(purpose, identify_by)
        return tables

    def _merge(self, *, narrowed: bool) -> None:
        """Merge all statements, or where verdicts are stored those that may make a difference to them."""
        self._narrowed = narrowed
        before, after = (["narrowed"], ["narrowed_withdrawals"]) if narrowed else (["everything"], [])
        for block in (*before, *_MERGING, *after):
            run(self._con, _STATE[block])

    def _load_data(self) -> None:
        codes = ", ".join(f"'{code.name}'" for code in rulebook().codes)
        self._con.execute("drop table if exists consent_chosen; drop table if exists consent_judged")
        self._con.execute(f"create or replace temporary type consent_code as enum ({codes})")
        self._table(
            "consent_regimes",
            "country text, region text, regime text",
            [(*place, regime) for place, regime in rulebook().places.items()],
        )
        self._table("consent_prefix_input", "prefix text, country text", list(prefixes()))
        self._table("consent_double", "country text", [(country.upper(),) for country in self._settings.double_opt_in])
        self._con.execute(
            "create or replace temporary table consent_analytics_sources as "
            "select distinct source from events where source is not null"
        )

    def _judge(self, purpose: str, identify_by: tuple[str, ...]) -> None:
        own_shop = purpose == "own_shop"
        rules = rulebook().of(purpose)
        named = [each.partition(":") for each in identify_by]
        kinds = tuple(_KINDS[kind] for kind, _, _ in named if kind in _KINDS)
        if len(kinds) != len(identify_by) or not kinds:
            raise ValueError(f"identify_by names {', '.join(_KINDS)}, not {identify_by!r}")
        if kinds[0] == "customer" and not own_shop:
            raise ConfigError(
                f"a destination that knows people by customer id cannot have the purpose {purpose}: it keeps data of "
                "the shop in the shop",
                next_step="Leave the sync's purpose out: it is own_shop.",
            )
        self._set("consent_system", "text", next((system for _, _, system in named if system), None))
        self._set("consent_channel", "text", CHANNELS.get(purpose, "email"))
        self._set("consent_main", "text", kinds[0])
        self._table("consent_kinds", "kind text", [(kind,) for kind in ((*kinds, "customer") if own_shop else kinds)])
        if own_shop:
            self._run("chosen_own_shop")
            return
        self._table("consent_rules", _RULE_COLUMNS, [self._rule_row(rule) for rule in rules])
        for block in ("storage" if purpose == "ads" else "no_storage", "judged", "chosen"):
            self._run(block)

    def _rule_row(self, rule: Rule) -> tuple[Any, ...]:
        accepted = {
            permission.ground: permission for permission in rule.accepts if permission.allowed_by(self._settings)
        }
        opt_out = accepted.get("OPT_OUT_REGIME")
        return (
            rule.regime,
            *(ground in accepted for ground in _RULE_GROUNDS),
            opt_out.from_age if opt_out else 0,
            rule.purpose != "ads",
            rule.purpose == "ads" and rule.analytics_unset_is_no,
            rule.denied,
        )

    def _hints(self, purpose: str, cleared: Cleared, counts: dict[str, int]) -> Iterator[str]:
        if counts.get("REGION_UNKNOWN") and self._country is None:
            yield (
                f"{counts['REGION_UNKNOWN']} people are withheld because nobody knows their country: "
                "set `country` at the top of the client's file."
            )
        if purpose == "own_shop":
            return
        channel = CHANNELS[purpose]
        reported = QUERIES["reported_then"] if self._narrowed else QUERIES["reported_now"]
        [(said_yes, without_basis)] = self._con.execute(reported, {"channel": channel}).fetchall()
        if counts and not len(cleared) and not said_yes:
            yield (
                f"Nobody is cleared for {purpose} because no source reports {channel} consent: add a "
                f'[[consent.from]] entry with grants = ["{channel}"] that names the tag, trait, column or metafield '
                "where the shop keeps it, connect a source that reports it, or give the sync another purpose."
            )
        if counts.get("NO_CONSENT") and without_basis:
            yield (
                f"{without_basis} {channel} records say subscribed without a basis, which proves nothing: "
                "map `basis` to opt_in_single or opt_in_double."
            )

    def _words(self, regime: str | None, purpose: str) -> str:
        if purpose == "own_shop":
            return f"{GROUNDS['OWN_SHOP']}: only an erasure bars it"
        return rulebook().rule(regime or "unknown", purpose).words()

    def _barriers(self) -> Iterator[Barrier]:
        for kind, address, reason, origin, recorded_at in self._run("barriers").fetchall():
            known = None if recorded_at.year == _NO_TIME else recorded_at
            yield Barrier(kind, address, reason, origin, known)

    def _run(self, block: str, names: dict[str, str] | None = None) -> duckdb.DuckDBPyConnection:
        text = load_queries("hub.consent", "clear.sql")[block]
        # The names are this gate's own, so that what they are filled into is not met again.
        return self._con.execute(_filled(text, names)) if names else run(self._con, text)

    def _set(self, name: str, kind: str, value: object) -> None:
        self._con.execute(f"set variable {name} = $value::{kind}", {"value": value})

    def _table(self, name: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        self._con.execute(f"create or replace temporary table {name} ({columns})")
        if rows:
            values = [list(column) for column in zip(*rows, strict=True)]
            self._con.execute(f"insert into {name} select {', '.join('unnest(?)' for _ in values)}", values)


_RULE_GROUNDS = ("ADS_FLAGS", "OPT_IN", "SOFT_OPT_IN", "IMPLIED", "OPT_OUT_REGIME")
_RULE_COLUMNS = (
    "regime text, ads_flags boolean, opt_in boolean, soft_opt_in boolean, implied boolean, opt_out_regime boolean, "
    "opt_out_from integer, double_asked boolean, analytics_unset_is_no boolean, denied text"
)


def _filled(text: str, names: Mapping[str, str]) -> str:
    """Fill in the names of tables, which cannot be bound."""
    for placeholder, name in names.items():
        text = text.replace(placeholder, name)
    return text


def naive(moment: datetime) -> datetime:
    """Return an instant as the catalog writes it: UTC, without saying so."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
