"""Score customers by cut points, so that equal values always have equal scores."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub import api
from hub_rfm.cells import TABLES, CellTable
from hub_rfm.config import RfmConfig
from hub_rfm.cuts import MEASURES, beginning, fixed_cuts, measure, scored

FEWEST = 50

# A score is 1 and one more for every cut point strictly below the value; of days since the last order the fewer are the
# better, so they count negative, in microseconds.
scored_people = api.Base(
    "scores of recency, frequency and monetary value",
    f"""
    with measured as (
        select
            people.person_id, facts.orders > 0 as has_bought, facts.last_order_at,
            coalesce(bought.orders, 0) as orders, coalesce(bought.spend, 0)::decimal(18, 2) as spend,
            -date_diff('microsecond', facts.last_order_at, $as_of::timestamp) as recency
        from people
        join facts using (person_id)
        left join bought using (person_id)
        where facts.orders > 0
            or people.email is not null or people.phone is not null or people.customer_id is not null
    ),
    scored as (
        select
            *,
            case when has_bought then {scored("recency", "$recency_cuts::bigint[]")} end as r,
            case when has_bought then {scored("orders", "$frequency_cuts::bigint[]")} end as f,
            case when has_bought then {scored("spend", "$monetary_cuts::decimal(18, 2)[]")} end as m
        from measured
    )
    select
        person_id,
        case when has_bought then $cell_groups[($scale * (r - 1) + f - 1) * $scale + m]
            else 'prospects' end as rfm_group,
        (100 * r + 10 * f + m)::varchar as rfm_score,
        r as recency_score, f as frequency_score, m as monetary_score,
        last_order_at, orders, spend
    from scored
    """,
    parts={"bought": api.BOUGHT_IN_WINDOW},
    absent="not a contact known to the shop",
    units={"last_order_at": "time", "orders": "orders", "spend": "money"},
)


class Rfm(api.Segment[RfmConfig]):
    """Customers in one of the groups that recency, frequency and monetary value make.

    Who: people in one of groups. Everybody who ever bought gets three scores: recency by the time since the last
    counted order, frequency by the counted orders and monetary by the net spend in the window (365d). Scores are
    relative to the shop's other customers: cut points divide them into equal parts (five with the table shopify,
    three with klaviyo), by nearest rank, and equal values always have equal scores, so that some scores may stay
    empty. With fewer than 50 customers it refuses to answer; scoring = "fixed" uses thresholds instead, which also
    can be compared between shops. frozen keeps the cut points of the beginning of the week or month. The three
    scores make a cell, and each cell belongs to exactly one group; cells picks them directly. Prospects are known
    contacts without an order. The output shows the cut points and how many people have each score.

    Groups of shopify: champions (very recent, often, most spend), loyal (recent, often), active (recent, some
    orders), new (very recent, few orders), promising (recent, few orders), needs-attention (cooling), at-risk (not
    recent, strong history), previously-loyal (not recent, very strong history), almost-lost (not recent, fewer
    orders), dormant (long ago, few orders). The names are Shopify's, the cells hub's own; where the shop gives its
    own group as a trait, prefer that with the strategy traits.

    Use it for: one plan for the whole base: reward, keep, develop, win back, let go; reports that show how groups
    move. Message that suits: champions first to see it, new ones welcomed, at-risk ones asked, dormant ones rarely.
    """

    name = "rfm"
    version = 1
    starter = False
    Config = RfmConfig
    base = scored_people
    rule = (
        api.one_of("rfm_group", "$groups"),
        api.one_of("rfm_score", "$cells"),
    )
    evidence = (
        "rfm_group",
        "rfm_score",
        "recency_score",
        "frequency_score",
        "monetary_score",
        "last_order_at",
        "orders",
        "spend",
    )
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("window",)

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
        """Find the cut points: of this instant, of the beginning of the period, or the fixed thresholds."""
        table = TABLES[self.config.table]
        if self.config.scoring == "fixed":
            return api.Prepared(_parameters(table, fixed_cuts(self.config, table.scale)))
        instant = beginning(as_of, self.config.frozen)
        found = measure(catalog, instant, as_of, self.config.window, table.scale)
        if found.people < FEWEST:
            return api.Prepared(
                refused=f"population_too_small: {found.people} people with a counted order by {instant:%Y-%m-%d}, "
                f'{FEWEST} are needed to score them against each other; use scoring = "fixed"'
            )
        return api.Prepared(_parameters(table, found.cuts), notes=(found.told(table.scale),))


def _parameters(table: CellTable, cuts: dict[str, list[Any]]) -> dict[str, Any]:
    bound = {f"{measure}_cuts": cuts[measure] for measure in MEASURES}
    return {**bound, "cell_groups": table.in_order, "scale": table.scale}
