"""Fit both models to a shop, try them on its own past, and score its customers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from hub import api
from hub_predicted.buying import BgNbd, fit_buying
from hub_predicted.likelihood import Array, Found
from hub_predicted.purchases import Customers, Regularity, Sample, everybody, sample
from hub_predicted.worth import GammaGamma, fit_worth

WEEK = timedelta(weeks=1)
TRIAL = timedelta(days=91)

# As Klaviyo asks for its predictions (help article 360020919731, read 2026-11), and its "some" made numbers.
FEWEST_CUSTOMERS = 500
FEWEST_CAME_BACK = 100
FEWEST_CAME_TWICE = 20
SHORTEST_HISTORY = timedelta(days=180)
LONGEST_SILENCE = timedelta(days=30)

ENOUGH = 50_000
OFF = 0.25
CORRELATED = 0.3
NOBODY = Regularity(0, 0)
GROUPS = ((1, 1, "1 purchase"), (2, 2, "2"), (3, 3, "3"), (4, np.inf, "4 or more"))


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was fitted to a shop at an instant.

    Attributes:
        notes: parameters and how well they did, in words.
        refused: why nothing can be predicted.
        worth: None where only the value of purchases cannot; ``no_worth`` says why.
        history: how long before the instant the first purchase was.
    """

    buying: BgNbd | None = None
    worth: GammaGamma | None = None
    notes: tuple[str, ...] = ()
    refused: str | None = None
    no_worth: str | None = None
    regularity: Regularity = NOBODY
    history: timedelta = timedelta(0)


def fitted(catalog: api.Reader, instant: datetime, as_of: datetime) -> Forecast:
    """Fit the models to what was known at an instant, in a run as of the same or a later one."""
    customers = catalog.once(everybody, instant, as_of).customers
    if not len(customers):
        return Forecast(refused="too_little_data: nobody has bought anything yet")
    ages = customers.histories.age
    history, silence = float(ages.max()) * WEEK, float((ages - customers.histories.recency).min()) * WEEK
    refused = _too_little(customers, history, silence)
    if refused is not None:
        return Forecast(refused=refused)
    trial = min(TRIAL, history / 4)
    some = sample(catalog, instant, as_of, instant - trial, -(-len(customers) // ENOUGH))
    buying, found = fit_buying(some.now.histories)
    if not found.converged:
        return Forecast(refused="no_convergence: no parameters of BG/NBD fit these orders best")
    worth, no_worth, worth_notes = _worth(some.now)
    notes = (_told_buying(customers, found, instant - history, instant), *worth_notes, *_trial(some, trial))
    return Forecast(buying, worth, notes, None, no_worth, some.regularity, history)


def scores(catalog: api.Reader, instant: datetime, as_of: datetime, horizon: timedelta) -> Any:
    """Return probabilities and expectations of every customer as of an instant, by the models fitted at another."""
    forecast = catalog.once(fitted, instant, as_of)
    if forecast.buying is None:
        raise ValueError(f"nothing was fitted: {forecast.refused}")
    bought, weeks = catalog.once(everybody, as_of, as_of), horizon / WEEK
    customers, histories = bought.customers, bought.customers.histories
    alive = forecast.buying.probability_alive(histories)
    expected = alive * forecast.buying.purchases_if_alive(histories, weeks)
    value = np.full(len(histories), np.nan)
    if forecast.worth is not None:
        value = expected * forecast.worth.expected_worth(histories.repeats, customers.worth)
    columns = {
        "probability_alive": np.round(np.where(histories.repeats > 0, alive, np.nan), 4),
        "return_probability": np.round(alive * forecast.buying.return_if_alive(histories, weeks), 4),
        "expected_purchases": np.round(expected, 4),
        "expected_value": np.round(value, 2),
    }
    return pa.table(
        {
            "person_id": pa.array(bought.people),
            **{name: pa.array(values, from_pandas=True) for name, values in columns.items()},
        }
    )


def _too_little(customers: Customers, history: timedelta, silence: timedelta) -> str | None:
    day = timedelta(days=1)
    asked = (
        (len(customers), FEWEST_CUSTOMERS, "customers with a purchase"),
        (customers.came_back, FEWEST_CAME_BACK, "who came back"),
        (customers.came_twice, FEWEST_CAME_TWICE, "with three purchases or more"),
        (int(history / day), int(SHORTEST_HISTORY / day), "days of history"),
    )
    lacking = [f"{there:,} {what} ({needed:,} are needed)" for there, needed, what in asked if there < needed]
    if silence >= LONGEST_SILENCE:
        lacking.append(f"no order for {int(silence / day):,} days (at most {int(LONGEST_SILENCE / day)})")
    return f"too_little_data: {', '.join(lacking)}" if lacking else None


def _told_buying(customers: Customers, found: Found, first: datetime, instant: datetime) -> str:
    values = zip(("r", "alpha", "a", "b"), found.parameters, found.errors or (None,) * 4, strict=True)
    unsure = "" if found.errors else "; the orders do not pin the parameters down one by one, the predictions they do"
    return (
        f"BG/NBD fitted at {instant:%Y-%m-%d %H:%M} UTC to {len(customers):,} customers, "
        f"{customers.came_back:,} of whom came back, since {first:%Y-%m-%d}: {_listed(values)} (weeks), "
        f"log-likelihood {found.log_likelihood:,.1f}{_of(found, customers)}{unsure}"
    )


def _of(found: Found, customers: Customers) -> str:
    return "" if found.cases == len(customers) else f" of {found.cases:,} of them"


def _listed(values: Any) -> str:
    return ", ".join(f"{name} {value:.4g}{f' ± {error:.2g}' if error else ''}" for name, value, error in values)


def _worth(customers: Customers) -> tuple[GammaGamma | None, str | None, tuple[str, ...]]:
    """Return the model of worth, or why there is none, with what to say of it."""
    again = customers.histories.repeats > 0
    purchases, worth = customers.histories.repeats[again], customers.worth[again]
    model, found = fit_worth(purchases, worth)
    observed = float(worth.mean())
    no_worth = None
    if not found.converged or model.mean is None or abs(model.mean / observed - 1) > OFF:
        no_worth = "no_value: what purchases are worth differs too widely for Gamma-Gamma"
        return None, no_worth, (f"{no_worth}, so there is no expected_value",)
    values = zip(("p", "q", "gamma"), found.parameters, found.errors or (None,) * 3, strict=True)
    correlation = _correlation(purchases, worth)
    told = (
        f"Gamma-Gamma fitted to the purchases of {len(worth):,} customers who came back: {_listed(values)}, "
        f"log-likelihood {found.log_likelihood:,.1f}; mean purchase {model.mean:,.2f} by the model, {observed:,.2f} "
        f"as it was; correlation of how often and how much {correlation:.2f}"
    )
    if abs(correlation) <= CORRELATED:
        return model, None, (told,)
    more = "more" if correlation > 0 else "less"
    return model, None, (told, f"those who buy often spend {more} each time here, which the model of worth leaves out")


def _correlation(first: Array, second: Array) -> float:
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _trial(some: Sample, length: timedelta) -> tuple[str, ...]:
    """Say how the models would have done: fitted without the last weeks, held against them."""
    days, then = int(length / timedelta(days=1)), some.then
    if len(then) < FEWEST_CUSTOMERS / 2 or then.came_back < FEWEST_CAME_BACK / 2:
        return (f"not tried on the last {days} days: too few had bought before",)
    buying, _ = fit_buying(then.histories)
    expected = buying.expected_purchases(then.histories, length / WEEK)
    came, predicted = float(some.bought.sum()), float(expected.sum())
    told = (
        f"tried on the last {days} days, fitted without them: {predicted:,.0f} purchases predicted, {came:,.0f} came"
        f"{_spend(some, expected)}; by purchases before: {_by_group(some, expected)}; the fifth of the customers with "
        f"the highest predictions made {_of_the_top(expected, some.bought):.0%} of them"
    )
    off = predicted / came - 1 if came else np.inf
    if abs(off) <= OFF:
        return (told,)
    by = f"{abs(off):.0%} too {'many' if off > 0 else 'few'}" if came else "none came"
    return (told, f"the trial was off ({by}): take probabilities as a ranking, not at their word, and mind the season")


def _spend(some: Sample, expected: Array) -> str:
    then = some.then
    again = then.histories.repeats > 0
    model, found = fit_worth(then.histories.repeats[again], then.worth[again])
    if not found.converged or model.mean is None:
        return ""
    predicted = float((expected * model.expected_worth(then.histories.repeats, then.worth)).sum())
    return f", worth {predicted:,.0f} and {float(some.spent.sum()):,.0f}"


def _by_group(some: Sample, expected: Array) -> str:
    purchases = some.then.histories.repeats + 1
    parts = []
    for fewest, most, name in GROUPS:
        chosen = (purchases >= fewest) & (purchases <= most)
        parts.append(f"{name}: {expected[chosen].sum():,.0f} and {some.bought[chosen].sum():,.0f}")
    return ", ".join(parts)


def _of_the_top(expected: Array, bought: Array) -> float:
    if not bought.sum():
        return 0.0
    order = np.argsort(-expected, kind="stable")
    return float(bought[order[: len(order) // 5]].sum() / bought.sum())
