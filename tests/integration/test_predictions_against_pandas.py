"""The strategies that predict have the members of an independent calculation, on simulated shops of 5,000 people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pytest
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from hub.catalog import Session
from hub.segments import SegmentResult, run_segments
from hub_predicted import LikelyLost, LikelyToRecover, LikelyToReturn, TopPredictedValue
from tests.predicted_shop import AS_OF, DAY, PredictedShop, people_of, simulate
from tests.segment_shop import defined

RETAIL = Path(os.environ.get("HUB_DATA", "")) / "online-retail" / "online_retail.csv.gz"
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
SEEDS = (20_260_301, 7)
SEGMENTS = [
    defined(LikelyLost),
    defined(LikelyLost, "half-lost", max_alive=0.5),
    defined(LikelyToReturn, min_probability=0.4),
    defined(LikelyToReturn, "within-a-month", horizon="30d", min_probability=0.3),
    defined(TopPredictedValue),
    defined(TopPredictedValue, "worth-a-hundred", min_value=100, horizon="180d"),
    defined(LikelyToRecover),
    defined(LikelyToRecover, "unlikely", which="unlikely", percentile=75),
    defined(LikelyToRecover, "soon", min_probability=0.2, max_age="2d"),
]


def shop_of(seed: int, people: int = 5_000) -> PredictedShop:
    """Let customers buy by the models, some orders be refunded, split, worth nothing or no order, and carts be left."""
    rng = np.random.default_rng(seed)
    shop = PredictedShop()
    shop.buyers(simulate(seed, people))
    for row in shop.orders[:: len(shop.orders) // 300]:
        odd = rng.integers(0, 5)
        if odd == 0:
            row["refunded"] = row["total"]
        elif odd == 1:
            row["status"] = "cancelled"
        elif odd == 2:
            row["total"] = "0.00"
        else:
            shop.order(row["customer_id"], AS_OF - row["placed_at"] - HOUR, 5 if odd == 3 else 0)
    for number in range(3_000):
        name = f"c{rng.integers(0, people)}" if rng.random() < 0.7 else f"p{number}"
        age = timedelta(hours=float(rng.exponential(60 * 24)) + 0.5)
        value = float(rng.integers(5, 300)) if rng.random() < 0.9 else None
        come = 1 / (1 + np.exp(1.5 - (name[0] == "c") - (value or 50) / 200))
        later = age - timedelta(hours=float(rng.exponential(30)))
        if later < timedelta(0) or rng.random() > come:
            touched = AS_OF - age * float(rng.random()) if rng.random() < 0.3 else None
            shop.cart(name, age, value, updated_at=touched)
        elif rng.random() < 0.5:
            shop.cart(name, age, value, completed_at=AS_OF - later, updated_at=AS_OF - later)
        else:
            shop.cart(name, age, value)
            shop.order(name, later, value or 50)
        for _ in range(rng.integers(0, 3)):
            shop.line(int(rng.integers(1, 4)), None if rng.random() < 0.1 else float(rng.integers(5, 100)))
    return shop


@dataclass
class ByHand:
    """The same answers from the shop's rows, by other formulas, in pandas."""

    shop: PredictedShop

    @property
    def now(self) -> pd.Timestamp:
        return pd.Timestamp(self.shop.as_of)

    @cached_property
    def orders(self) -> pd.DataFrame:
        rows = pd.DataFrame(self.shop.orders)
        rows = rows[rows["status"].isin(["paid", "pending"])].copy()
        rows["net"] = rows["total"].astype(float) - rows["refunded"].astype(float).fillna(0)
        return rows

    @cached_property
    def customers(self) -> pd.DataFrame:
        """Per customer frequency, recency and T in weeks, and the mean of what came after the first purchase."""
        days = self.orders.groupby(["customer_id", self.orders["placed_at"].dt.date]).agg(
            at=("placed_at", "min"), net=("net", "sum")
        )
        days = days[days["net"] > 0.001].reset_index("customer_id").sort_values(["customer_id", "at"])
        days["place"] = days.groupby("customer_id").cumcount()
        every = days.groupby("customer_id").agg(first=("at", "min"), last=("at", "max"), n=("at", "size"))
        later = days[days["place"] > 0].groupby("customer_id")["net"].mean()
        return pd.DataFrame(
            {
                "x": every["n"] - 1.0,
                "t_x": (every["last"] - every["first"]) / WEEK,
                "T": (self.now - every["first"]) / WEEK,
                "mean": later,
            }
        )

    @cached_property
    def buying(self) -> Any:
        """Fit by the likelihood as printed in the paper, climbing without slopes."""
        x, t_x, age = (self.customers[name].to_numpy() for name in ("x", "t_x", "T"))

        def cost(logs: Any) -> float:
            r, alpha, a, b = np.exp(logs)
            with np.errstate(divide="ignore", invalid="ignore"):
                left = np.where(x > 0, betaln(a + 1, b + x - 1) - (r + x) * np.log(alpha + t_x), -np.inf)
            both = np.logaddexp(betaln(a, b + x) - (r + x) * np.log(alpha + age), left)
            return -float(np.sum(both - betaln(a, b) + gammaln(r + x) - gammaln(r) + r * np.log(alpha)))

        return climbed(cost, [0.5, 5, 1, 3], [0.5, 5, 0.01, 5])

    @cached_property
    def spending(self) -> Any:
        again = self.customers[self.customers["x"] > 0]
        x, mean = again["x"].to_numpy(), again["mean"].to_numpy()

        def cost(logs: Any) -> float:
            p, q, gamma = np.exp(logs)
            shape = q * np.log(gamma) - betaln(p * x, q) + p * x * np.log(x)
            return -float(np.sum(shape + (p * x - 1) * np.log(mean) - (p * x + q) * np.log(gamma + x * mean)))

        return climbed(cost, [3, 3, 20])

    @cached_property
    def alive(self) -> pd.Series:
        r, alpha, a, b = self.buying
        who = self.customers[self.customers["x"] > 0]
        gone = a / (b + who["x"] - 1) * ((alpha + who["T"]) / (alpha + who["t_x"])) ** (r + who["x"])
        return (1 / (1 + gone)).reindex(self.customers.index)

    def returns(self, days: int) -> pd.Series:
        """Return 1 less the probability of no purchase: gone, or there and waiting."""
        r, alpha, _, _ = self.buying
        alive = self.alive.fillna(1)
        since = alpha + self.customers["T"]
        waits = (since / (since + days / 7)) ** (r + self.customers["x"])
        return 1 - ((1 - alive) + alive * waits)

    def values(self, days: int) -> pd.Series:
        """Return expected purchases by the hypergeometric function times the expected worth of one."""
        (r, alpha, a, b), (p, q, gamma) = self.buying, self.spending
        x, since = self.customers["x"], alpha + self.customers["T"]
        series = hyp2f1(r + x, b + x, a + b + x - 1, days / 7 / (since + days / 7))
        bought = (a + b + x - 1) / (a - 1) * (1 - (since / (since + days / 7)) ** (r + x) * series)
        weight = (p * x / (p * x + q - 1)).where(x > 0, 0)
        mean = p * gamma / (q - 1)
        worth = weight * self.customers["mean"].fillna(0) + (1 - weight) * mean
        return bought * self.alive.fillna(1) * worth

    @cached_property
    def carts(self) -> pd.DataFrame:
        """Every cart with what was known when it was left, and what became of it, one cart after the other."""
        frame = pd.DataFrame([self._cart(row) for row in self.shop.carts])
        hours = (frame["end"] - frame["left"]) / pd.Timedelta(hours=1)
        frame["hours"] = hours
        frame["abandoned"] = ~(hours < 1)
        frame["recovered"] = hours <= 168
        frame["age"] = (self.now - frame["left"]) / pd.Timedelta(hours=1)
        earlier = frame[frame["abandoned"]].groupby("who")
        for name, came in (("came", True), ("lost", False)):
            frame[name] = [
                0 if who not in earlier.groups else self._earlier(earlier.get_group(who), left, came)
                for who, left in zip(frame["who"], frame["left"], strict=True)
            ]
        return frame

    def _cart(self, row: dict[str, Any]) -> dict[str, Any]:
        done = row["completed_at"]
        left = row["created_at"] if done is not None else row["updated_at"] or row["created_at"]
        own = self.placed.get(row["customer_id"], [])
        after = [time for time in (*own, done) if time is not None and time > left]
        before = [time for time in own if time <= left]
        lines = self.lines.get(row["cart_id"], [])
        prices = [np.nan if each["unit_price"] is None else float(each["unit_price"]) for each in lines]
        worth = sum(each["quantity"] * price for each, price in zip(lines, prices, strict=True)) if lines else np.nan
        return {
            "cart": row["cart_id"],
            "who": row["customer_id"],
            "left": left,
            "end": min(after, default=None),
            "open": done is None and not [time for time in own if time > left],
            "active": max(left, done or left),
            "value": worth if row["total"] is None else float(row["total"]),
            "items": sum(each["quantity"] for each in lines),
            "orders": len(before),
            "days": (left - max(before)) / DAY if before else 0.0,
        }

    @cached_property
    def lines(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self.shop.lines:
            found.setdefault(line["cart_id"], []).append(line)
        return found

    @staticmethod
    def _earlier(carts: pd.DataFrame, left: Any, came: bool) -> int:
        return int(((carts["left"] <= left - 7 * DAY) & (carts["recovered"] == came)).sum())

    @cached_property
    def placed(self) -> dict[str, list[Any]]:
        return self.orders.groupby("customer_id")["placed_at"].apply(list).to_dict()

    @cached_property
    def recovery(self) -> pd.Series:
        """Return the probability per open cart, by Newton's method on a penalised logistic likelihood."""
        carts = self.carts[self.carts["left"] > self.now - 365 * DAY]
        past = carts[(carts["age"] >= 168) & carts["abandoned"]]
        latest = self.carts.sort_values(["active", "left"]).groupby("who").tail(1)
        now = latest[latest["open"] & (latest["age"] < 168) & (latest["age"] >= 1)]
        middle, scale = seen(past).mean(), seen(past).std(ddof=0).replace(0, 1)
        known = np.column_stack([np.ones(len(past)), (seen(past) - middle) / scale])
        came = past["recovered"].to_numpy(float)
        penalty = np.diag([0.0] + [1.0] * (known.shape[1] - 1))
        weights = np.zeros(known.shape[1])
        for _ in range(50):
            chance = 1 / (1 + np.exp(-known @ weights))
            slope = known.T @ (came - chance) - penalty @ weights
            curve = (known * (chance * (1 - chance))[:, None]).T @ known + penalty
            weights = weights + np.linalg.solve(curve, slope)
        odds = np.column_stack([np.ones(len(now)), (seen(now) - middle) / scale]) @ weights
        whether = 1 / (1 + np.exp(-odds))
        times = past.loc[past["recovered"], "hours"].to_numpy()
        passed = np.array([(times <= age).mean() for age in now["age"]])
        still = whether - whether * passed
        return (
            pd.Series(still / (still + 1 - whether), index=now["who"]).to_frame("p").assign(age=now["age"].to_numpy())
        )


def seen(carts: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "value": np.log(1 + carts["value"].fillna(0)),
            "unknown": carts["value"].isna().astype(float),
            "items": np.log(1 + carts["items"]),
            "bought": (carts["orders"] > 0).astype(float),
            "orders": np.log(1 + carts["orders"]),
            "days": np.log(1 + carts["days"]),
            "earlier": np.log((carts["came"] + 1) / (carts["lost"] + 1)),
        }
    )


def climbed(cost: Any, *starts: Any) -> Any:
    """Climb without slopes from each start, and return the highest place: one climb may end on a ridge."""
    options = {"xatol": 1e-10, "fatol": 1e-9, "maxiter": 20_000, "maxfev": 20_000}
    ends = [minimize(cost, np.log(start), method="Nelder-Mead", options=options).x for start in starts]
    return np.exp(min(ends, key=cost))


def nearest_rank(values: pd.Series, percent: float) -> float:
    ranked = np.sort(values.to_numpy())
    return float(ranked[max(1, ceil(percent * len(ranked) / 100)) - 1])


def expected(by_hand: ByHand, name: str) -> set[str]:
    alive, carts = by_hand.alive.round(4), by_hand.recovery
    chance = carts["p"].round(4)
    year, half = by_hand.values(365).round(2), by_hand.values(180).round(2)
    found = {
        "likely-lost": alive.index[alive <= 0.25],
        "half-lost": alive.index[alive <= 0.5],
        "likely-to-return": alive.index[by_hand.returns(90).round(4) >= 0.4],
        "within-a-month": alive.index[by_hand.returns(30).round(4) >= 0.3],
        "top-predicted-value": year.index[year >= nearest_rank(year, 90)],
        "worth-a-hundred": half.index[half >= 100],
        "likely-to-recover": chance.index[chance >= nearest_rank(chance, 50)],
        "unlikely": chance.index[chance < nearest_rank(chance, 75)],
        "soon": chance.index[(chance >= 0.2) & (carts["age"] < 48)],
    }
    return set(found[name])


@dataclass
class Answers:
    results: dict[str, SegmentResult]
    members: dict[str, set[str]]
    by_hand: ByHand


@pytest.fixture(scope="module", params=SEEDS)
def answers(request: pytest.FixtureRequest) -> Iterator[Answers]:
    shop = shop_of(request.param)
    with shop.session() as session:
        results = run_segments(session, SEGMENTS)
        members = {name: names(session, result) for name, result in results.items()}
        yield Answers(results, members, ByHand(shop))


def names(session: Session, result: SegmentResult) -> set[str]:
    assert result.error is None, result.error
    assert result.table is not None, result.refused
    known = people_of(session)
    return {known[row[0]] for row in session.con.execute(f"select person_id from {result.table}").fetchall()}


@pytest.mark.parametrize("name", [each.name for each in SEGMENTS])
def test_members_are_those_of_the_independent_calculation(answers: Answers, name: str) -> None:
    found = expected(answers.by_hand, name)

    assert answers.members[name] == found
    assert found, "a case that nobody is in shows nothing"


def test_the_notes_have_the_parameters_of_the_independent_fit(answers: Answers) -> None:
    buying, spending, *_ = answers.results["likely-lost"].notes

    for text, names_, values in (
        (buying, ("r", "alpha", "a", "b"), answers.by_hand.buying),
        (spending, ("p", "q", "gamma"), answers.by_hand.spending),
    ):
        for name, value in zip(names_, values, strict=True):
            assert f" {name} {value:.4g} ±" in text


def real_shop() -> PredictedShop:
    """Return the invoices of a British gift shop (UCI Machine Learning Repository, Online Retail), cancellations aside."""
    lines = pd.read_csv(RETAIL, dtype={"InvoiceNo": str}, parse_dates=["InvoiceDate"])
    lines = lines[lines["CustomerID"].notna() & (lines["Quantity"] > 0)]
    lines["worth"] = lines["Quantity"] * lines["UnitPrice"]
    invoices = lines.groupby("InvoiceNo").agg(
        who=("CustomerID", "first"), at=("InvoiceDate", "first"), worth=("worth", "sum")
    )
    shop = PredictedShop(as_of=invoices["at"].max().to_pydatetime())
    for who, at, worth in invoices.itertuples(index=False):
        shop.order(f"c{who:.0f}", shop.as_of - at.to_pydatetime(), worth)
    return shop


def test_a_real_shop_is_fitted_as_the_independent_calculation_fits_it() -> None:
    if not RETAIL.is_file():
        pytest.skip("the invoices of a real shop are not in HUB_DATA (online-retail)")
    shop = real_shop()
    by_hand = ByHand(shop)

    with shop.session() as session:
        result = run_segments(session, [defined(TopPredictedValue)])["top-predicted-value"]

    buying, spending, trial = result.notes
    came_back = int((by_hand.customers["x"] > 0).sum())
    assert result.refused is None
    assert f"to {len(by_hand.customers):,} customers, {came_back:,} of whom came back" in buying
    assert (len(by_hand.customers), came_back) == (4_338, 2_790)
    for text, names_, values in (
        (buying, ("r", "alpha"), by_hand.buying),
        (spending, ("p", "q", "gamma"), by_hand.spending),
    ):
        for name, value in zip(names_, values, strict=False):
            assert f" {name} {value:.4g} ±" in text
    assert trial.startswith("tried on the last 91 days")
