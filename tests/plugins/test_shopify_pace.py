"""How fast a Shopify shop is asked: never faster than its bucket fills, and hardly slower."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shopify_client import Bench, Limits, bench


def busy_shop(made: Bench, orders: int) -> None:
    """Let the shop have changed after all was read: orders with lines, and their customers."""
    made.pull()
    made.clock.go(hours=1)
    shop = made.shop
    for number in range(orders):
        customer = shop.add_customer(email=f"{number}@example.com", first_name=f"P{number}")
        lines = [shop.line(f"Boot {line}", "10.00") for line in range(1 + number % 4)]
        shop.add_order(lines, customer, shipping_address=shop.address(country_code_v2="DK"))
    made.clock.go(hours=1)


@pytest.mark.parametrize(
    ("bucket", "rate", "orders"),
    [(2_000, 100, 1_500), (1_000, 50, 800), (20_000, 1_000, 3_000), (40, 2, 60)],
    ids=["standard", "as of old", "plus", "development store"],
)
def test_a_long_read_is_never_throttled_and_uses_what_is_allowed(
    tmp_path: Path, bucket: int, rate: int, orders: int
) -> None:
    with bench(tmp_path, limits=Limits(bucket=bucket, restore_rate=rate)) as made:
        busy_shop(made, orders)
        throttled, used, begun = made.asked("throttled"), made.asked("points_used"), made.clock.seconds

        made.pull()

        allowed = bucket + (made.clock.seconds - begun) * rate
        spent = made.asked("points_used") - used
        assert made.ask("select count(*) from orders") == [(orders,)]
        assert made.asked("throttled") == throttled
        assert allowed > 5 * bucket
        assert 0.9 * allowed <= spent <= allowed


def test_a_bucket_that_others_emptied_is_waited_for(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        busy_shop(made, 50)
        made.stand_in.fault("throttled", times=2)
        begun = made.clock.seconds

        made.pull()

        assert made.ask("select count(*) from orders") == [(50,)]
        assert made.clock.seconds - begun >= 1


def test_a_shop_that_allows_less_than_one_order_says_so(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(bucket=12, restore_rate=2)) as made:
        [source] = made.pull_anyhow().sources

    assert source.status == "failed"
    assert "at most 12 are allowed" in source.trouble.text


def test_no_query_costs_more_than_one_may(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(single_query=120)) as made:
        busy_shop(made, 30)

        made.pull()

        assert made.ask("select count(*), (select count(*) from order_lines) from orders") == [(30, 30 + 22 + 14 + 7)]
