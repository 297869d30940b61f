"""Every strategy once more, in pandas: an independent calculation over the frames of a generated shop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # ships no types

from tests.generated_shop import AS_OF, Frames

NOW = pd.Timestamp(AS_OF)
DAY = pd.Timedelta(days=1)
HOUR = pd.Timedelta(hours=1)


def lately(times: pd.Series, window: pd.Timedelta) -> pd.Series:
    return (times > NOW - window) & (times <= NOW)


def people(index: Any) -> set[str]:
    return set(index)


def nearest_rank(values: pd.Series, percent: float) -> Any:
    known = np.sort(values.dropna().to_numpy())
    return known[max(1, ceil(round(percent * len(known) / 100, 9))) - 1]


class InPandas:
    """The strategies over one shop; a method per strategy, named as it with _ for -."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.everybody = people(frames.customers["customer_id"])

    def __getitem__(self, name: str) -> Callable[..., set[str]]:
        method: Callable[..., set[str]] = getattr(self, name.replace("-", "_"))
        return method

    # What several need.

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Counted orders up to now, with their net value and whether they were discounted."""
        every = self.frames.orders
        counted = every["status"].isin(["paid", "pending"]) & ~every["test"].eq(True) & (every["placed_at"] <= NOW)
        found = every[counted].copy()
        found["net"] = found["total"] - found["refunded"].fillna(0)
        found["discounted"] = found["discount"].fillna(0) > 0
        return found

    @cached_property
    def ever(self) -> pd.DataFrame:
        return self.orders.groupby("customer_id").agg(
            orders=("net", "size"), first=("placed_at", "min"), last=("placed_at", "max")
        )

    @cached_property
    def year(self) -> pd.DataFrame:
        return self.orders[lately(self.orders["placed_at"], 365 * DAY)]

    @cached_property
    def in_year(self) -> pd.DataFrame:
        return self.year.groupby("customer_id").agg(
            orders=("net", "size"), spend=("net", "sum"), discounted=("discounted", "sum")
        )

    @cached_property
    def sold(self) -> pd.DataFrame:
        """Counted orders with their lines; an order without lines has one that is empty."""
        return self.orders.merge(self.frames.order_lines, "left", "order_id", suffixes=("", "_line"))

    # Purchases

    def high_spenders(self) -> set[str]:
        buyers = self.in_year
        return people(buyers.index[(buyers["orders"] >= 2) & (buyers["spend"] >= nearest_rank(buyers["spend"], 90))])

    def low_spenders(self, exclude: set[str]) -> set[str]:
        tagged = self.frames.customers["tags"].map(lambda tags: bool({each.lower() for each in tags or ()} & exclude))
        buyers = self.in_year.drop(self.frames.customers["customer_id"][tagged], errors="ignore")
        return people(buyers.index[(buyers["orders"] >= 2) & (buyers["spend"] <= nearest_rank(buyers["spend"], 25))])

    def one_time(self) -> set[str]:
        return people(self.ever.index[self.ever["orders"] == 1])

    def one_and_done(self) -> set[str]:
        return people(self.ever.index[(self.ever["orders"] == 1) & (self.ever["last"] <= NOW - 60 * DAY)])

    def first_time(self) -> set[str]:
        return people(self.ever.index[(self.ever["orders"] == 1) & (self.ever["last"] > NOW - 60 * DAY)])

    def new_customers(self) -> set[str]:
        return people(self.ever.index[self.ever["first"] > NOW - 30 * DAY])

    def repeat(self) -> set[str]:
        return people(self.ever.index[self.ever["orders"] >= 2])

    def frequent_buyers(self) -> set[str]:
        return people(self.in_year.index[self.in_year["orders"] >= 3])

    def occasional_buyers(self) -> set[str]:
        return people(self.in_year.index[self.in_year["orders"] <= 2])

    def coupon_lovers(self) -> set[str]:
        buyers = self.in_year
        return people(buyers.index[(buyers["discounted"] >= 2) & (2 * buyers["discounted"] >= buyers["orders"])])

    def full_price(self) -> set[str]:
        return people(self.in_year.index[(self.in_year["orders"] >= 2) & (self.in_year["discounted"] == 0)])

    def _prices(self) -> pd.DataFrame:
        goods = self.sold[lately(self.sold["placed_at"], 365 * DAY) & ~self.sold["gift_card"].eq(True)]
        return goods.dropna(subset="unit_price")

    def high_value_items(self) -> set[str]:
        prices = self._prices()
        mean = prices.groupby("customer_id")["unit_price"].mean()
        return people(mean.index[mean >= nearest_rank(prices["unit_price"], 75)])

    def low_value_items(self) -> set[str]:
        prices = self._prices()
        mean = prices.groupby("customer_id")["unit_price"].mean()
        return people(mean.index[mean <= nearest_rank(prices["unit_price"], 25)])

    def _of_type(self, kind: str) -> set[str]:
        return people(self.sold["customer_id"][self.sold["product_type"] == kind])

    def _unsure(self) -> set[str]:
        return people(self.sold["customer_id"][self.sold["product_type"].isna()])

    def product_line(self) -> set[str]:
        return self._of_type("shoes") | self._of_type("boots")

    def never_line(self) -> set[str]:
        return people(self.ever.index) - self._of_type("shoes") - self._unsure()

    def cross_sell(self) -> set[str]:
        return self._of_type("boots") - self._of_type("laces") - self._unsure()

    def seasonal(self) -> set[str]:
        """The spring, March to May, which began this morning."""
        placed = self.orders["placed_at"]
        spring = self.orders[placed.dt.month.isin([3, 4, 5])]
        years = spring["placed_at"].dt.year
        before = people(spring["customer_id"][years.isin([2023, 2024, 2025])])
        return before - people(spring["customer_id"][years == 2026])

    # Carts and browsing

    def cart_abandoners(self) -> set[str]:
        carts = self._open_carts()
        return people(
            carts["customer_id"][
                lately(carts["changed"], 7 * DAY) & (carts["changed"] <= NOW - HOUR) & (carts["value"] > 0)
            ]
        )

    def prospects_with_carts(self) -> set[str]:
        return self.cart_abandoners() - people(self.ever.index)

    def _open_carts(self) -> pd.DataFrame:
        """The newest cart of each person that was active in seven days, if it is open."""
        carts = self.frames.carts.copy()
        carts = carts[carts["created_at"] <= NOW]
        carts["updated"] = carts["updated_at"].where(carts["updated_at"] <= NOW)
        carts["completed"] = carts["completed_at"].where(carts["completed_at"] <= NOW)
        carts["changed"] = carts["updated"].fillna(carts["created_at"])
        carts["active"] = carts[["changed", "completed"]].max(axis=1)
        lines = self.frames.cart_lines.assign(worth=lambda each: each["quantity"] * each["unit_price"])
        worth = lines.groupby("cart_id")["worth"].agg(lambda each: each.sum() if each.notna().all() else np.nan)
        carts["value"] = carts["total"].fillna(carts["cart_id"].map(worth))
        carts = carts[carts["active"] > NOW - 7 * DAY]
        newest = carts.sort_values(["active", "created_at", "cart_id"], ascending=[False, False, False])
        newest = newest.drop_duplicates("customer_id")
        newest = newest[newest["completed"].isna()]
        last = newest["customer_id"].map(self.ever["last"])
        return newest[~(last > newest["changed"])]

    def browse_abandoners(self) -> set[str]:
        events = self.frames.events[lately(self.frames.events["happened_at"], 7 * DAY)]

        def latest(*names: str) -> pd.Series:
            return events[events["name"].isin(names)].groupby("customer_id")["happened_at"].max()

        view = latest("view_item")
        touched = latest("add_to_cart", "begin_checkout", "add_payment_info", "purchase")
        carts = self.frames.carts[self.frames.carts["created_at"] <= NOW]
        changed = carts["updated_at"].where(carts["updated_at"] <= NOW).fillna(carts["created_at"])
        touched_cart = changed.groupby(carts["customer_id"]).max()
        after = pd.concat([touched, touched_cart, self.ever["last"]], axis=1).max(axis=1).reindex(view.index)
        return people(view.index[(view <= NOW - HOUR) & ~(after >= view)])

    def time_on_site(self) -> set[str]:
        events = self.frames.events[lately(self.frames.events["happened_at"], 30 * DAY)]
        seconds = events.groupby("customer_id")["engagement_ms"].sum(min_count=1) / 1000
        return people(seconds.index[seconds.round(1) >= 300])

    def viewed(self) -> set[str]:
        events = self.frames.events[lately(self.frames.events["happened_at"], 30 * DAY)]
        sale = (events["name"] == "page_view") & events["url"].str.lower().str.contains("/sale/", regex=False)
        counts = events[sale].groupby("customer_id").size()
        return people(counts.index[counts >= 2])

    def funnel_stage(self, stage: str) -> set[str]:
        steps = {"view_item": 1, "add_to_cart": 2, "begin_checkout": 3, "add_payment_info": 4, "purchase": 5}
        events = self.frames.events[lately(self.frames.events["happened_at"], 14 * DAY)]
        seen = pd.DataFrame({"who": events["customer_id"], "step": events["name"].map(steps)})
        carts = self.frames.carts[self.frames.carts["created_at"] <= NOW]
        changed = carts["updated_at"].where(carts["updated_at"] <= NOW).fillna(carts["created_at"])
        step = carts["step"].map({"shipping": 3, "payment": 4}).fillna(2).where(~(carts["completed_at"] <= NOW), 5)
        held = pd.DataFrame({"who": carts["customer_id"], "step": step})[lately(changed, 14 * DAY)]
        orders = self.orders[lately(self.orders["placed_at"], 14 * DAY)]
        done = pd.DataFrame({"who": orders["customer_id"], "step": 5})
        furthest = pd.concat([seen, held, done]).dropna().groupby("who")["step"].max()
        wanted = ["view", "cart", "checkout", "payment", "order"].index(stage) + 1
        return people(furthest.index[furthest == wanted])

    # Lifecycle

    def _last_between(self, younger: pd.Timedelta, older: pd.Timedelta) -> set[str]:
        last = self.ever["last"]
        return people(last.index[(last <= NOW - younger) & (last > NOW - older)])

    def active(self) -> set[str]:
        return people(self.ever.index[self.ever["last"] > NOW - 90 * DAY])

    def at_risk(self) -> set[str]:
        return self._last_between(90 * DAY, 180 * DAY)

    def inactive(self) -> set[str]:
        return people(self.ever.index[self.ever["last"] <= NOW - 180 * DAY])

    def lapsed(self) -> set[str]:
        return self._last_between(180 * DAY, 365 * DAY)

    def lost(self) -> set[str]:
        return people(self.ever.index[self.ever["last"] <= NOW - 365 * DAY])

    def win_back(self) -> set[str]:
        return self.lapsed() & self.repeat()

    def never_purchased(self) -> set[str]:
        return self.everybody - people(self.ever.index)

    def _gaps(self) -> pd.Series:
        ordered = self.orders.sort_values(["customer_id", "placed_at"])
        return (
            ordered.groupby("customer_id")["placed_at"]
            .diff()
            .rename("gap")
            .to_frame()
            .assign(who=ordered["customer_id"])
            .dropna()
        )

    def at_risk_by_intervals(self) -> set[str]:
        interval = self._gaps()["gap"].median()
        return self._last_between(interval, 3 * interval)

    def due_to_reorder(self) -> set[str]:
        own = self._gaps().groupby("who")["gap"].median()
        known = self.ever[self.ever["orders"] >= 3].join(own)
        known = known[known["gap"] > pd.Timedelta(0)]
        since = NOW - known["last"]
        return people(known.index[(5 * since >= 4 * known["gap"]) & (2 * since <= 3 * known["gap"])])

    def journey_stage(self, stage: str) -> set[str]:
        gone = self.ever["last"] <= NOW - 180 * DAY
        orders = self.ever["orders"]
        found = {
            "prospect": self.never_purchased(),
            "lapsed": people(self.ever.index[gone]),
            "first-time": people(self.ever.index[~gone & (orders == 1)]),
            "repeat": people(self.ever.index[~gone & orders.between(2, 3)]),
            "loyal": people(self.ever.index[~gone & (orders >= 4)]),
            "visitor": set(),
        }
        return found[stage]

    def acquisition_channel(self) -> set[str]:
        known = self.frames.events.dropna(subset="traffic_source").sort_values(["happened_at", "event_id"])
        first = known.drop_duplicates("customer_id").set_index("customer_id")["traffic_source"]
        return people(first.index[first.str.startswith("google")])

    # RFM

    def rfm(self, group: str) -> set[str]:
        recent = self.in_year.reindex(self.ever.index).fillna(0)
        values = pd.DataFrame(
            {
                "r": (self.ever["last"] - NOW) / DAY,
                "f": recent["orders"].astype(float),
                "m": recent["spend"].astype(float),
            }
        )
        scores = values.apply(self._scores)
        mean = ((scores["f"] + scores["m"]) / 2 + 0.5).astype(int)
        named = {
            "champions": (scores["r"] == 5) & (mean >= 4),
            "at-risk": scores["r"].isin([1, 2]) & mean.isin([3, 4]),
            "dormant": (scores["r"] == 1) & (mean <= 2),
        }
        return people(scores.index[named[group]])

    @staticmethod
    def _scores(values: pd.Series) -> pd.Series:
        ranked = np.sort(values.to_numpy())
        cuts = [ranked[ceil(part * len(ranked) / 5) - 1] for part in range(1, 5)]
        return values.map(lambda value: 1 + sum(cut < value for cut in cuts))

    # Engagement

    @cached_property
    def mails(self) -> pd.DataFrame:
        every = self.frames.engagement[self.frames.engagement["happened_at"] <= NOW].copy()
        every["human"] = every["kind"].isin(["opened", "clicked"]) & ~every["machine"].eq(True)
        return every

    def engaged(self) -> set[str]:
        signs = people(self.mails["customer_id"][self.mails["human"] & lately(self.mails["happened_at"], 30 * DAY)])
        said = self.frames.consents
        new = (said["status"] == "subscribed") & (said["dated_by"] == "record") & lately(said["recorded_at"], 15 * DAY)
        return signs | people(said["customer_id"][new])

    def unengaged(self) -> set[str]:
        kinds = self.mails.groupby(["customer_id", "kind"]).size().unstack(fill_value=0)
        received = kinds.index[kinds["sent"] - kinds["bounced"] >= 5]
        awake = people(self.mails["customer_id"][self.mails["human"] & lately(self.mails["happened_at"], 90 * DAY)])
        return people(received) - awake

    def opened_not_clicked(self) -> set[str]:
        recent = self.mails[self.mails["human"] & lately(self.mails["happened_at"], 30 * DAY)]
        return people(recent["customer_id"][recent["kind"] == "opened"]) - people(
            recent["customer_id"][recent["kind"] == "clicked"]
        )

    def by_campaign(self) -> set[str]:
        spring = self.mails[self.mails["campaign"] == "Spring"]
        kinds = spring.groupby(["customer_id", "kind"]).size().unstack(fill_value=0)
        received = people(kinds.index[kinds["sent"] - kinds["bounced"] > 0])
        return received - people(spring["customer_id"][spring["human"]])

    # People

    def demographic(self) -> set[str]:
        known = self.frames.customers.dropna(subset=["birth_date", "gender", "locale"])
        born = pd.to_datetime(known["birth_date"])
        before = (born.dt.month > NOW.month) | ((born.dt.month == NOW.month) & (born.dt.day > NOW.day))
        age = NOW.year - born.dt.year - before.astype(int)
        fits = age.between(30, 50) & known["gender"].isin(["f", "F"]) & known["locale"].isin(["de-DE", "de_AT", "DE"])
        return people(known["customer_id"][fits])

    def geographic(self) -> set[str]:
        known = self.frames.customers
        fits = known["country"].isin(["DK", "SE"]) & known["postcode"].str.replace(" ", "").str.startswith(
            "80", na=False
        )
        return people(known["customer_id"][fits])

    def tags(self) -> set[str]:
        tags = self.frames.customers["tags"].map(lambda each: {tag.lower() for tag in each or ()})
        return people(
            self.frames.customers["customer_id"][tags.map(lambda each: "club" in each and "wholesale" not in each)]
        )

    def traits(self) -> set[str]:
        answers = self.frames.traits
        fits = (answers["name"] == "Sport") & answers["value"].isin(["running", "Hiking, chess"])
        return people(answers["customer_id"][fits & lately(answers["recorded_at"], 90 * DAY)])

    def promoters(self) -> set[str]:
        answers = self.frames.traits[self.frames.traits["name"] == "nps"]
        number = pd.to_numeric(answers["value"], errors="coerce")
        return people(answers["customer_id"][(number >= 9) & (number <= 10)])

    def sql(self) -> set[str]:
        return people(self.ever.index[self.ever["orders"] >= 5])
