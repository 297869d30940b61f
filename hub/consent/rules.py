"""The rule table: which permissions count where, for which purpose."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigError
from hub.places import Place, places

if TYPE_CHECKING:
    from hub.config.models import ConsentSettings

CHANNELS = MappingProxyType(
    {
        "email_marketing": "email",
        "cart_reminder": "email",
        "sms_marketing": "sms",
        "ads": "ads",
    }
)
"""The channel whose statements decide, by purpose."""

PURPOSES = (*CHANNELS, "own_shop")
"""Every purpose the gate knows."""

EVERY_CHANNEL = "*"
BLOCKED_CHANNELS = ("email", "sms", "whatsapp", "ads")
"""The channels that an address may be blocked on."""

REASONS = ("unsubscribed", "soft_bounce", "hard_bounce", "complaint", "manual", "erasure")
"""Why an address may be blocked; docs/reference/consent.md says what each means."""

GROUNDS = MappingProxyType(
    {
        "ADS_FLAGS": "ad_user_data and ad_personalization both granted",
        "OPT_IN": "a recorded opt-in",
        "SOFT_OPT_IN": "an existing customer who was told of the right to object and did not",
        "IMPLIED": "implied consent: a purchase in the last 24 months or an inquiry in the last 6",
        "OPT_OUT_REGIME": "no opt-out",
        "OWN_SHOP": "the data stays in the shop it came from",
    }
)
"""What clears a person, in words; the order is the one in which the gate asks."""

_PERMISSION = re.compile(r"(?P<ground>[A-Z_]+)(?: if (?P<setting>\w+)(?: = (?P<value>\w+))?)?(?: from (?P<age>\d+))?")


@dataclass(frozen=True, slots=True)
class Permission:
    """One ground on which a rule clears a person, with the setting it needs and the age from which it counts."""

    ground: str
    setting: str | None = None
    value: str | None = None
    from_age: int = 0

    @classmethod
    def parse(cls, text: str) -> Permission:
        """Read ``GROUND``, ``GROUND if setting``, ``GROUND if setting = value``, each with ``from AGE``."""
        match = _PERMISSION.fullmatch(text)
        if match is None or match["ground"] not in GROUNDS:
            raise ValueError(f"not a permission: {text}")
        return cls(match["ground"], match["setting"], match["value"], int(match["age"] or 0))

    def allowed_by(self, settings: ConsentSettings) -> bool:
        """Say whether the client's settings let this permission count."""
        if self.setting is None:
            return True
        set_to = getattr(settings, self.setting)
        return bool(set_to == self.value if self.value else set_to)

    def words(self) -> str:
        """Say it in plain English."""
        condition = f" (only with {self.setting} = {self.value or 'true'})" if self.setting else ""
        age = f", not for people known to be under {self.from_age}" if self.from_age else ""
        return f"{GROUNDS[self.ground]}{condition}{age}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one regime demands for one purpose."""

    regime: str
    place: str
    purpose: str
    accepts: tuple[Permission, ...]
    denied: str
    law: str
    analytics_unset_is_no: bool

    def words(self) -> str:
        """Say the rule in one sentence."""
        grounds = "; or ".join(permission.words() for permission in self.accepts)
        return f"{self.place}, {self.purpose}: {grounds}; else {self.denied} [{self.law}]"


@dataclass(frozen=True, slots=True)
class Code:
    """A reason for withholding a person: what it means and what to do about it."""

    name: str
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The whole table. ``places`` maps (country, upper-case region or '') to a regime."""

    rules: tuple[Rule, ...]
    places: MappingProxyType[tuple[str, str], str]
    codes: tuple[Code, ...]

    def of(self, purpose: str) -> tuple[Rule, ...]:
        """Return the rules for a purpose, one per regime.

        Raises:
            ConfigError: there is no such purpose.
        """
        if purpose not in PURPOSES:
            raise ConfigError(
                f"unknown purpose {purpose!r}",
                next_step=f"Use one of {', '.join(PURPOSES)} as the purpose of the sync or destination.",
            )
        return tuple(rule for rule in self.rules if rule.purpose == purpose)

    def rule(self, regime: str, purpose: str) -> Rule:
        """Return the rule of one regime for one purpose."""
        return next(rule for rule in self.rules if rule.regime == regime and rule.purpose == purpose)


@cache
def rulebook() -> Rulebook:
    """Read ``rules.toml``."""
    data = tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))
    known = {place.id: place for place in places()}
    return Rulebook(
        rules=tuple(rule for regime in data["regime"] for rule in _rules(regime, known[regime["id"]])),
        places=MappingProxyType({where: place.id for place in places() for where in place.whereabouts()}),
        codes=tuple(Code(**code) for code in data["code"]),
    )


@cache
def prefixes() -> tuple[tuple[str, str], ...]:
    """Read ``prefixes.csv``: the digits after the + of a phone, and the country they belong to."""
    lines = files(__package__).joinpath("prefixes.csv").read_text(encoding="utf-8").splitlines()[1:]
    return tuple((digits, country) for digits, country in (line.split(",") for line in lines))


def _rules(regime: dict[str, Any], place: Place) -> Iterator[Rule]:
    for purpose in CHANNELS:
        row = regime[purpose]
        yield Rule(
            regime=regime["id"],
            place=place.name,
            purpose=purpose,
            accepts=tuple(Permission.parse(text) for text in row["accepts"]),
            denied=row["denied"],
            law=row["law"],
            analytics_unset_is_no=place.analytics_unset_is_no,
        )
