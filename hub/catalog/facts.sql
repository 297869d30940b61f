-- Facts: one row per person, as of the run; each group of columns is one block.
-- Windows are half-open: as_of - N x 24 h < t <= as_of.

-- name: profile
select person_id, person_ref, region, country, city, gender, locale, tags,
       date_diff('year', birth_date, getvariable('today'))
       - (case when month(getvariable('today')) * 100 + day(getvariable('today')) < month(birth_date) * 100 + day(birth_date)
               then 1 else 0 end) as age
from people

-- name: orders
select * from order_totals

-- name: intervals
select person_id, median_days as median_days_between_orders from order_gaps

-- name: products
select person_id, list_sort(list_distinct(list(product_type))) as product_types,
       arg_max(product_type, struct_pack(t := order_placed_at, o := order_id, s := system, p := product_type)) as last_product_type
from order_lines
where order_counted and product_type is not null and person_id is not null group by person_id

-- name: open_carts
with open_carts as (select * from carts where open and person_id is not null),
pieces as (
    select system, cart_id, case when count(quantity) = count(*) then sum(quantity) else count(*) end as items
    from cart_lines where cart_id in (select cart_id from open_carts) group by all),
ordered as (
    select *, row_number() over (partition by person_id order by changed_at desc, system, cart_id) as place,
           count(*) over (partition by person_id) as open_carts from open_carts)
select c.person_id, c.open_carts, c.cart_id, c.total as cart_value, p.items as cart_items, c.recovery_url as cart_url,
       c.step as cart_step, c.changed_at as cart_at
from ordered as c left join pieces as p on p.system = c.system and p.cart_id = c.cart_id where c.place = 1

-- name: past_carts
with old as (
    select * from carts where person_id is not null and changed_at > getvariable('as_of') - interval 2160 hours
    and changed_at <= getvariable('as_of') - interval 1 hour),
bought as (
    select distinct c.system, c.cart_id from old as c join orders as o on o.person_id = c.person_id
    and o.counted and o.placed_at > c.changed_at and o.placed_at <= c.changed_at + interval 168 hours
    where not c.completed)
select c.person_id, count(*) filter (not c.completed and b.cart_id is null) as carts_abandoned_90d,
       count(*) filter (b.cart_id is not null
                        or (c.completed and c.completed_at >= case when c.changed_at < c.completed_at then c.changed_at else c.created_at end + interval 1 hour))
       as carts_recovered_90d
from old as c left join bought as b on b.system = c.system and b.cart_id = c.cart_id group by c.person_id

-- name: visits
select person_id, max(happened_at) as last_seen_at,
       count(distinct (source, session_id)) filter (recent and session_id is not null) as sessions_30d,
       count(*) filter (recent and name = 'view_item') as views_30d,
       coalesce(sum(engagement_ms) filter (recent), 0) / 1000.0 as engaged_seconds_30d,
       list_sort(list_distinct(coalesce(list(product_type) filter (recent and name = 'view_item' and product_type is not null), []))) as viewed_types_30d
from (select *, happened_at > getvariable('as_of') - interval 720 hours as recent from events where person_id is not null)
group by person_id

-- name: arrivals
select person_id, traffic_source as first_traffic_source from merged.arrivals where happened_at <= getvariable('as_of')

-- name: engagement
select person_id, count(*) filter (kind = 'sent') as emails_received,
       count(*) filter (kind = 'opened' and human and recent) as emails_opened_90d,
       count(*) filter (kind = 'clicked' and human and recent) as emails_clicked_90d,
       max(happened_at) filter (kind in ('opened', 'clicked') and human) as last_engaged_at
from (select *, coalesce(not machine, kind = 'clicked' or source in (
          -- An open that is not marked is a person's only where its source marks those of machines.
          select source from engagement where kind = 'opened' and machine is not null and by_mail)) as human,
             happened_at > getvariable('as_of') - interval 2160 hours as recent
      from engagement where person_id is not null and by_mail)
group by person_id

-- name: stage
case when starts_with(p.person_ref, 'visitor:') then 'visitor'
     when coalesce(orders.orders, 0) = 0 then 'prospect'
     when orders.last_order_at <= getvariable('as_of') - interval 4320 hours then 'lapsed'
     when orders.orders = 1 then 'first-time'
     when orders.orders <= 3 then 'repeat'
     else 'loyal' end

-- name: facts
create or replace temporary table facts as
select p.person_id{columns} from ({people}) as p{joins}

-- name: join_group
 left join {table} as {name} using (person_id)
