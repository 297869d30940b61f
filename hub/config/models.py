"""The shape of a client's configuration, apart from the settings that belong to plugins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from hub.api import Config, Duration


def _not_lost(rate: Decimal) -> Decimal:
    if rate < Decimal("0.00000001"):
        raise ValueError("should be at least 0.00000001; let `currency` be the one that is worth less")
    return rate


Rate = Annotated[Decimal, Field(gt=0, lt=Decimal(10_000_000_000)), AfterValidator(_not_lost)]
"""The catalog keeps rates with 10 digits before the point and 8 behind it."""
Share = Annotated[float, Field(ge=0, le=1)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class ConsentFrom(Config):
    """What else proves consent in this shop."""

    tag: str | None = Field(default=None, description="a customer's tag")
    trait: str | None = Field(default=None, description="a trait's name")
    column: str | None = Field(default=None, description="a column of the customers' data")
    metafield: str | None = Field(default=None, description="a metafield, as namespace.key")
    value: str | None = Field(default=None, description="the value that proves it; default: yes, true, 1")
    grants: tuple[Literal["email", "sms", "whatsapp", "ads", "analytics"], ...] = Field(
        min_length=1, description="the channels it permits"
    )
    basis: Literal["opt_in_double", "opt_in_single"] = Field(default="opt_in_single", description="kind of opt-in")
    evidence: str = Field(min_length=1, description="what proves it: form, text and its date")

    @model_validator(mode="after")
    def _one_signal(self) -> ConsentFrom:
        if sum(signal is not None for signal in (self.tag, self.trait, self.column, self.metafield)) != 1:
            raise ValueError("name exactly one of tag, trait, column or metafield")
        return self


class ConsentSettings(Config):
    """What the shop's lawyer allowed beyond a recorded opt-in."""

    model_config = ConfigDict(populate_by_name=True)

    soft_opt_in: bool = Field(
        default=False, description="existing customers, where the law has it, for e-mail marketing"
    )
    cart_soft_opt_in: bool = Field(default=False, description="the same for cart reminders")
    casl_implied: bool = Field(default=False, description="Canada: implied consent by purchase or inquiry")
    us_email_mode: Literal["opt_in", "opt_out"] = Field(
        default="opt_in", description="USA: e-mail needs an opt-in, or only no opt-out"
    )
    us_ads_mode: Literal["opt_in", "opt_out"] = Field(default="opt_in", description="USA: the same for ad audiences")
    double_opt_in: tuple[Country, ...] = Field(
        default=(), description="countries where a single opt-in is not enough, ISO 3166-1 alpha-2"
    )
    sources: tuple[ConsentFrom, ...] = Field(
        default=(), alias="from", description="what else proves consent in this shop"
    )


class Guards(Config):
    """What hub refuses to believe without a human's word."""

    max_rejected: Share = Field(default=0.05, description="broken rows, as a share of a snapshot or page")
    max_shrink: Share = Field(default=0.5, description="a table that lost more than this share in one pull")
    max_removals: Share = Field(default=0.5, description="removals, as a share of an audience of 100 or more")
    max_additions: float = Field(
        default=0.5, ge=0, description="additions, as a share of the audience; 1,000 people are always allowed"
    )
    max_lag: Duration = Field(default=timedelta(hours=1), description="how much older orders may be than carts")


class SyncSettings(Config):
    """One segment kept in one audience."""

    segment: str = Field(description="name of the segment")
    destination: str = Field(description="name of the destination")
    audience: str | None = Field(
        default=None, description="name of the list, tag or audience; default: the segment's name"
    )
    audience_id: str | None = Field(default=None, description="id of an audience that exists already")
    adopt: bool = Field(
        default=False, description="take over the audience that audience_id names; who is not in the segment leaves it"
    )
    mode: Literal["mirror", "append"] = Field(
        default="mirror", description="append: members leave only when their consent does"
    )
    purpose: str | None = Field(
        default=None, description="what members must have consented to; default: the destination's"
    )
    attributes: dict[str, str] = Field(
        default_factory=dict, description="theirs = ours: evidence, fact or profile column"
    )
    holdout: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="share never delivered, so that lift can be measured"
    )
    cooldown: Duration | None = Field(
        default=None, description="pause before a person gets the same again; default: the destination's"
    )
    schedule: str | None = Field(
        default=None, description="cron expression in the client's time zone; none: due at every tick"
    )
    was: str | None = Field(default=None, description="the sync's former name, after renaming it")
    enabled: bool = Field(default=True, description="false pauses the sync and keeps its settings")
    guards: dict[str, Any] = Field(default_factory=dict, description="guards of its own")

    @property
    def audience_name(self) -> str:
        """Return the name of the audience: its own, or the segment's."""
        return self.audience or self.segment

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        if value is not None:
            check_cron(value)
        return value

    @field_validator("attributes")
    @classmethod
    def _are_columns(cls, value: dict[str, str]) -> dict[str, str]:
        seen: dict[bytes, str] = {}
        for theirs in value:
            if not theirs or "\0" in theirs:
                raise ValueError(f"{theirs!r} cannot be the name of an attribute")
            other = seen.setdefault(as_column(theirs), theirs)
            if other != theirs:
                raise ValueError(f"{other!r} and {theirs!r} differ in case only; hub takes them for the same name")
        return value

    @model_validator(mode="after")
    def _adopts_by_id(self) -> SyncSettings:
        if self.adopt and self.audience_id is None:
            raise ValueError("adopt = true takes over the audience named by audience_id; add audience_id")
        return self

    @model_validator(mode="after")
    def _adopted_on_purpose(self) -> SyncSettings:
        if self.audience_id is not None and not self.adopt:
            raise ValueError("audience_id names an audience that exists; add adopt = true to take it over")
        return self


class SourceTable(Config):
    """What hub itself reads of a ``[sources.…]`` table; the rest belongs to the plugin."""

    plugin: str = Field(description="the source plugin's name")
    enabled: bool = Field(default=True, description="false switches it off and keeps its settings")
    guards: dict[str, Any] = Field(default_factory=dict, description="guards of its own")


class DestinationTable(Config):
    """What hub itself reads of a ``[destinations.…]`` table; the rest belongs to the plugin."""

    plugin: str = Field(description="the destination plugin's name")
    enabled: bool = Field(default=True, description="false switches it off and keeps its settings")


class Limit(Config):
    """Which members of a segment are kept where there are more than wanted."""

    count: int = Field(ge=1, le=1_000_000_000, description="how many people at most")
    by: str = Field(min_length=1, description="evidence column that ranks them, such as spend; unknown values are out")
    first: Literal["largest", "smallest"] = Field(
        default="largest", description="which values come first; of times the latest is the largest"
    )


Row = dict[str, Any]


class SegmentTest(Config):
    """A small shop and who of it belongs to the segment; ``hub check`` tries it.

    Rows have the columns of the canonical tables. A time may be written as its distance before ``as_of`` (``10d``).
    What the example does not turn on may be left out: ids, an order's status (paid), a line's quantity (1), consent to
    analytics (given). Whoever is named by e-mail anywhere is a customer with that e-mail as id.
    """

    name: str = Field(min_length=1, description="what the example shows")
    as_of: datetime = Field(default=datetime(2026, 3, 1, 12, tzinfo=UTC), description="the instant it is tried at")
    people: tuple[Row, ...] = Field(default=(), description="customers, where more than an e-mail matters")
    orders: tuple[Row, ...] = Field(default=(), description="orders, each with its `lines` where they matter")
    carts: tuple[Row, ...] = Field(default=(), description="carts and checkouts, each with its `lines`")
    products: tuple[Row, ...] = Field(default=(), description="products")
    events: tuple[Row, ...] = Field(default=(), description="visits; `user_id` is the customer")
    engagement: tuple[Row, ...] = Field(default=(), description="what the `subject` did with a mail")
    traits: tuple[Row, ...] = Field(default=(), description="what is known of the `subject`")
    members: tuple[str, ...] = Field(description="who belongs to it, by e-mail, phone or customer id; nobody else does")

    @field_validator("as_of")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SegmentTable(Config):
    """What hub itself reads of a ``[segments.…]`` table; with a plugin the rest belongs to it."""

    plugin: str | None = Field(default=None, description="the strategy's name; a combination has none")
    all: tuple[str, ...] = Field(default=(), description="segments a member must be in")
    any: tuple[str, ...] = Field(default=(), description="segments a member must be in one of")
    none: tuple[str, ...] = Field(default=(), description="segments a member must not be in")
    sample: float | None = Field(
        default=None, gt=0, le=1, description="share of the members that is kept, stable by person; a larger one adds"
    )
    limit: Limit | None = Field(default=None, description="keep only those who come first by an evidence column")
    min_size: int | None = Field(
        default=None, ge=1, description="with fewer members it is refused: too few to be of use, or too identifying"
    )
    tests: tuple[SegmentTest, ...] = Field(default=(), description="examples that `hub check` tries")
    enabled: bool = Field(default=True, description="false switches it off and keeps its settings")

    @model_validator(mode="after")
    def _strategy_or_combination(self) -> SegmentTable:
        combined = bool(self.all or self.any or self.none)
        if combined and self.plugin:
            raise ValueError("is either a strategy (plugin) or a combination (all, any, none), not both")
        if not combined and not self.plugin:
            raise ValueError('needs plugin = "…", or segments to combine: all, any, none = ["…"]')
        return self


class WorkspaceModel(Config):
    """What ``hub.toml`` may say besides tables that clients inherit."""

    requires: str | None = Field(default=None, description="version of hub this workspace needs, such as >=0.1")
    secrets_dir: str | None = Field(default=None, description="folder with secrets, <client>/<connection>/<field>")
    memory_limit: str | None = Field(
        default=None, description="memory DuckDB may use, such as 4GB; default: DuckDB's own"
    )


class ClientModel(Config):
    """The top level of ``clients/<id>.toml``, apart from sources, segments, destinations and syncs."""

    name: str = Field(description="the client's name")
    timezone: str = Field(default="UTC", description="IANA time zone: schedules, and file times without a zone")
    country: Country | None = Field(default=None, description="the shop's country, ISO 3166-1 alpha-2, such as DK")
    currency: Currency | None = Field(default=None, description="the shop's currency, ISO 4217, such as DKK")
    consent: ConsentSettings = Field(default_factory=ConsentSettings, description="what the lawyer allowed")
    guards: Guards = Field(default_factory=Guards, description="what hub refuses to believe")
    currencies: dict[Currency, Rate] = Field(
        default_factory=dict, description="units of the client's currency per unit"
    )
    priority: tuple[str, ...] = Field(
        default=(), description="segments, the first the most important: a person in several is in the first only"
    )

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is not an IANA time zone; write one such as Europe/Copenhagen") from None
        return value


def as_column(name: str) -> bytes:
    """Return what is equal for names that DuckDB takes for the same column: it heeds no case of the letters A to Z."""
    return name.encode().lower()


def check_cron(expression: str) -> None:
    """Check that a text is a cron expression of five fields that is due at some time.

    Raises:
        ValueError: it is not; the message says which field is wrong.
    """
    right = 'write minute, hour, day, month and weekday, such as "*/15 * * * *"'
    if len(expression.split()) != 5:
        raise ValueError(f"{expression!r} is not a cron expression of five fields; {right}")
    try:
        next(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{expression!r} is not a cron expression ({str(error).lower()}); {right}") from None
    except StopIteration:
        raise ValueError(f"{expression!r} is never due; {right}") from None
