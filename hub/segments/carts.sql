-- How carts end, and by what. A cart is left when it lies alone for an hour after its last change; it is recovered when
-- it is completed later than that, or its person places a counted order within 7 days; otherwise it is abandoned.

-- name: carts
-- Carts with their last change in the window, each with how it ended. A cart younger than an hour has not ended.
create or replace temporary table ended_carts as
with seen as (
    select system, cart_id, person_id, total, step, changed_at, completed, created_at,
           case when completed_at > changed_at then changed_at else created_at end as left_at, completed_at
    from carts
    where changed_at > $as_of - $window and changed_at <= $as_of - interval 1 hour),
next_orders as (
    select s.system, s.cart_id, min(o.placed_at) as bought_at
    from seen as s join orders as o on o.person_id = s.person_id and o.counted
    and o.placed_at > s.changed_at and o.placed_at <= s.changed_at + interval 168 hours
    where not s.completed
    group by all)
select s.system, s.cart_id, s.person_id, s.total, s.step, s.changed_at,
       case when coalesce(s.completed_at, n.bought_at) < s.left_at + interval 1 hour then 'bought'
            when coalesce(s.completed_at, n.bought_at) is not null then 'recovered'
            else 'abandoned' end as ending
from seen as s left join next_orders as n using (system, cart_id)

-- name: by
select {value} as value, count(*), count(*) filter (ending = 'abandoned'), count(*) filter (ending = 'recovered'),
       sum(total) filter (ending = 'abandoned')
from ended_carts as c {joins}
group by 1

-- name: lines
join (select distinct system, cart_id, coalesce(title, sku, product_id) as product from cart_lines) as l using (system, cart_id)

-- name: device
-- The device of the person's last visit before the cart was left, within a day.
asof left join (select person_id, happened_at, device from events where person_id is not null and device is not null) as e
on e.person_id = c.person_id and e.happened_at <= c.changed_at

-- name: funnel
-- Visitors by the furthest step: whoever came to a step counts at every one before it.
with visits as (
    select coalesce(cast(person_id as varchar), source || ':' || visitor_id) as who,
           case name when 'view_item' then 1 when 'add_to_cart' then 2 when 'view_cart' then 2
                     when 'begin_checkout' then 3 when 'add_shipping_info' then 3 when 'add_payment_info' then 4
                     when 'purchase' then 5 end as step
    from events where happened_at > $as_of - $window and happened_at <= $as_of),
furthest as (select who, max(step) as step from visits where who is not null and step is not null group by who)
select n, (select count(*) from furthest where step >= n) from unnest([1, 2, 3, 4, 5]) as t(n) order by n
