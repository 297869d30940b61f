-- What strategies see: the merged tables as of an instant, in the temporary schema of a session.

-- name: views
create or replace temporary view customers as select * from merged.customers where created_at is null or created_at <= getvariable('as_of');
create or replace temporary view orders as select * from merged.orders where placed_at <= getvariable('as_of');
create or replace temporary view purchases as select * from merged.purchases where placed_at <= getvariable('as_of');
create or replace temporary view order_lines as select * from merged.order_lines where order_placed_at <= getvariable('as_of');
create or replace temporary view cart_lines as select * from merged.cart_lines where cart_created_at <= getvariable('as_of');
create or replace temporary view products as select * from merged.products;
create or replace temporary view events as select * from merged.events where happened_at <= getvariable('as_of');
create or replace temporary view ads_signals as select * from merged.ads_signals where happened_at <= getvariable('as_of');
create or replace temporary view engagement as select * from merged.engagement where happened_at <= getvariable('as_of');
create or replace temporary view traits as select * from merged.traits where recorded_at is null or recorded_at <= getvariable('as_of');
create or replace temporary view consents as select * from merged.consents where recorded_at is null or recorded_at <= getvariable('as_of');
create or replace temporary view people as select * from merged.people where known_from is null or known_from <= getvariable('as_of');
create or replace temporary view orders_without_lines as select * from merged.orders_without_lines where placed_at <= getvariable('as_of');
create or replace temporary view identities as select * from merged.identities;
create or replace temporary view consent_records as select * from merged.consent_records;
create or replace temporary view dated_later as
select person_id, null as source from merged.orders where placed_at >= getvariable('as_of') and person_id is not null
union all
select person_id, source from merged.events where happened_at > getvariable('as_of')
union all
select person_id, null from merged.ads_signals where happened_at > getvariable('as_of')

-- name: carts
create or replace temporary view carts as
with seen as (
    select * exclude (updated_at, completed_at),
           case when updated_at <= getvariable('as_of') then updated_at end as updated_at,
           case when completed_at <= getvariable('as_of') then completed_at end as completed_at
    from merged.carts where created_at <= getvariable('as_of'))
select s.*, coalesce(s.updated_at, s.created_at) as changed_at, s.completed_at is not null as completed,
       s.completed_at is null and coalesce(t.last_order_at <= coalesce(s.updated_at, s.created_at), true) as open
from seen as s left join order_totals as t on t.person_id = s.person_id

-- name: is_after
-- Whether the instant lies after everything of a table whose totals are kept; also where there is nothing in it.
select value is null or cast(value as timestamp) < getvariable('as_of') from about where key = $until

-- name: amid_orders
create or replace temporary view order_places as
select person_id, max(placed_at) filter (counted and placed_at < getvariable('as_of')) as last_bought_at,
       arg_max_null(country, place) filter (country is not null) as country,
       arg_max_null(region, place) filter (country is not null) as region
from (select *, order_place(placed_at, country, region) as place from orders where person_id is not null)
group by person_id;
create or replace temporary view order_gaps as
select {gaps} from (select *, {before} from purchases) where before is not null group by person_id;
create or replace temporary view order_totals as select {totals} from purchases group by person_id

-- name: after_all_orders
create or replace temporary view order_places as select * from merged.order_places;
create or replace temporary view order_gaps as select * from merged.order_gaps;
create or replace temporary view order_totals as select * from merged.order_totals

-- name: amid_mails
create or replace temporary view mail_totals as
select {mails} from engagement where by_mail and person_id is not null group by person_id, source

-- name: after_all_mails
create or replace temporary view mail_totals as select * from merged.mail_totals

-- name: seen_tables
select table_name from loads where state = 'visible'

-- name: find
select distinct person_id from merged.identities
where (kind = 'email' and value = $email) or (kind = 'phone' and value = $phone) or (kind = 'customer' and value = read_id($text))
order by 1
