-- What somebody would write who had only DuckDB.

-- name: aggregation
create or replace temporary table by_hand as
select person_id, count(*) as orders, sum(net) as spend, count(*) filter (discounted) as discounted_orders,
       min(placed_at) as first_at, max(placed_at) as last_at
from merged.orders where counted and placed_at <= $as_of and person_id is not null
group by person_id

-- name: visits
create or replace temporary table visits_by_hand as
select person_id, count(*) as events, count(*) filter (name = 'view_item') as views,
       sum(engagement_ms) as engaged, min(happened_at) as first_at, max(happened_at) as last_at
from merged.events where happened_at <= $as_of and person_id is not null
group by person_id

-- name: lines
create or replace temporary table lines_by_hand as
select person_id, count(*) as lines, sum(quantity * unit_price) as worth, avg(unit_price) as price, max(order_placed_at) as last_at
from merged.order_lines where order_counted and order_placed_at <= $as_of and person_id is not null
group by person_id

-- name: mails
create or replace temporary table mails_by_hand as
select person_id, count(*) filter (kind = 'sent') as received, count(*) filter (kind = 'opened') as opened,
       count(*) filter (kind = 'clicked') as clicked, max(happened_at) as last_at
from merged.engagement where happened_at <= $as_of and person_id is not null
group by person_id

-- name: members
select p.email, p.first_name as name, p.country, o.orders
from merged.people as p
join (select person_id, count(*) as orders from merged.orders where counted group by person_id) as o using (person_id)
where p.email is not null

-- name: rows
select email, name, country, orders from kept
