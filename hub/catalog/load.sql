-- Storing pages: what a page replaces, what a key means, what an erased person may bring back.

-- name: create_physical
create table {target}({columns})

-- name: add_column
alter table {target} add column {column} {kind}

-- name: create_page
create temporary table {page}({columns})

-- name: has_twice
select 1 from {target} group by {key} having count(*) > 1 limit 1

-- name: keep_last
delete from {target} where rowid in (
    select rowid from (select rowid, row_number() over (partition by {key} order by rowid desc) as place from {target})
    where place > 1)

-- name: keep_last_said
-- Of several statements in one page a refusal stands that no newer yes of its own date takes back, else the last one.
delete from {target} where rowid in (
    with said as (
        select rowid, {key}, recorded_at,
               is_refusal(status, channel, ad_user_data, ad_personalization) as refuses,
               max(recorded_at) filter (dated_by = 'record' and is_permission(status, channel, ad_user_data, ad_personalization))
                   over (partition by {key}) as allowed_at
        from {target}),
    judged as (select *, refuses and not coalesce(allowed_at > recorded_at, false) as stands from said),
    placed as (
        select rowid, row_number() over (partition by {key} order by stands desc, case when stands then coalesce(recorded_at, 'infinity'::timestamp) end desc,
                                         refuses, rowid desc) as place
        from judged)
    select rowid from placed where place > 1)

-- name: replace_keys
delete from {target} as t where exists (select 1 from {page} where {same})

-- name: replace_children
delete from {target} as t where exists (select 1 from parents as p where t.{key} = p.{key})

-- name: parents
create or replace temporary table parents as select distinct {key} from {page}

-- name: replace_window
delete from {target} where {time} >= $from and {time} < $until

-- name: append
insert into {target} by name select * from {page}

-- name: count
select count(*) from {target}

-- name: is_empty
select not exists (select 1 from {target})

-- name: delete_keys
delete from {target} where {key} in (select read_id(unnest(cast($keys as varchar[]))))

-- name: ids_of_keys
select distinct read_id(unnest(cast($keys as varchar[])))

-- name: addresses_of_keys
select distinct email, phone, customer_id from {target} where {key} in (select read_id(unnest(cast($keys as varchar[]))))

-- name: find_lost
-- Every key that is judged, with its rows and whether it remains.
create or replace temporary table {lost} as
with remaining as (select distinct read_id(cast({column} as varchar)) as key from incoming)
select t.{key} as key, count(*) as rows, count(r.key) > 0 as remains
from {target} as t left join remaining as r on r.key = t.{key}
where coalesce(cast({time} as timestamp) >= cast($since as timestamp), cast($since as timestamp) is null)
group by all

-- name: count_lost
select coalesce(sum(rows), 0), coalesce(sum(rows) filter (remains), 0) from {lost}

-- name: delete_lost
delete from {target} where {key} in (select key from {lost} where not remains)

-- name: drop_lost
drop table {lost}

-- name: erased_addresses
create or replace temporary table erased_here as
with addresses as ({addresses}),
hashed as (select kind, value, keyed_hash(case kind when 'customer' then 'customer:' || $system || ':' || value
                                          else kind || ':' || value end) as address_key from addresses)
select h.kind, h.value, max(e.recorded_at) as recorded_at from hashed as h join erasures as e using (address_key)
group by all

-- name: erased_addresses_of
select distinct '{kind}' as kind, {column} as value from {target} where {column} is not null

-- name: drop_erased
delete from {target} as t where exists (
    select 1 from erased_here as e where ({match}) and not coalesce({own_time} > e.recorded_at, false))

-- name: noted
select rowid, concat_ws(chr(10), _note[1], _note[4]), [{columns}]::varchar[] from {target}
where _note is not null and rowid > $after order by rowid limit $limit

-- name: create_erased_places
create or replace temporary table erased_places(place bigint, recorded_at timestamp)

-- name: add_erased_places
insert into erased_places
select m.place, max(e.recorded_at) from mentions as m join erasures as e on e.address_key = keyed_hash(m.address)
group by all

-- name: erased_places
select place from erased_places

-- name: drop_erased_places
delete from {target} as t where exists (
    select 1 from erased_places as e where e.place = t.rowid and not coalesce({own_time} > e.recorded_at, false))

-- name: has_erased
select exists (select 1 from erased_here)

-- name: show_addresses
update {target} as t set shown_email = c.email, shown_phone = c.phone
from (select customer_id, (record).email as email, (record).phone as phone from (
          select customer_id, arg_min(struct_pack(email := email, phone := phone), rank) as record
          from ({customers}) group by 1)) as c
where t.subject_kind = 'customer_id' and t.subject = c.customer_id
  and t.shown_email is null and t.shown_phone is null

-- name: no_customers
select null::varchar as customer_id, null::varchar as email, null::varchar as phone, 0 as rank where false

-- name: customers_of
select customer_id, email, phone, {rank} as rank from {target}

-- name: old_consents
select subject, subject_kind, channel, status, recorded_at, ad_user_data, ad_personalization, shown_email, shown_phone
from {target}

-- name: withdrawals
with old as ({old}),
fresh as (select * from {fresh}),
turned as (
    select n.subject, n.subject_kind, n.channel, o.shown_email as old_email, o.shown_phone as old_phone,
           n.shown_email, n.shown_phone,
           case when n.recorded_at >= coalesce(o.recorded_at, n.recorded_at) then n.recorded_at
                else cast($now as timestamp) end as recorded_at
    from fresh as n join old as o using (subject, channel)
    where (o.status = 'subscribed' and n.status in ('unsubscribed', 'never', 'invalid'))
       or (n.channel = 'ads' and o.ad_user_data and o.ad_personalization
           and (n.ad_user_data = false or n.ad_personalization = false))),
addressed as ({addressed})
select address, channel, coalesce(min(recorded_at), cast($now as timestamp)) from addressed
where address is not null group by 1, 2 order by 1, 2

-- name: addressed
select case subject_kind when 'email' then 'email:' || subject when 'phone' then 'phone:' || subject
       else 'customer:' || $system || ':' || subject end as address, channel, recorded_at from turned
union all select 'email:' || unnest([old_email, shown_email]), channel, recorded_at from turned
          where channel not in ('sms', 'whatsapp')
union all select 'phone:' || unnest([old_phone, shown_phone]), channel, recorded_at from turned
          where channel <> 'email'

-- name: refusals
-- A refusal outlives its row: whoever said no, and is deleted there afterwards, has said no.
with turned as (
    select subject, subject_kind, channel, recorded_at, shown_email, shown_phone, null as old_email, null as old_phone
    from ({gone}) where is_refusal(status, channel, ad_user_data, ad_personalization)),
addressed as ({addressed})
select address, channel, coalesce(max(recorded_at), cast($now as timestamp)) from addressed
where address is not null group by 1, 2 order by 1, 2

-- name: gone_keys
 where {key} in (select read_id(unnest(cast($keys as varchar[]))))

-- name: gone_lost
 where {key} in (select key from {lost} where not remains)

-- name: gone_unread
 as o where not exists (select 1 from {fresh} as n where n.subject = o.subject and n.channel = o.channel)

-- name: gone_overruled
-- A refusal is taken back by a newer yes of its own date alone, also by the source that told of it.
 as o where exists (
    select 1 from {fresh} as n where n.subject = o.subject and n.channel = o.channel
        and not is_refusal(n.status, n.channel, n.ad_user_data, n.ad_personalization)
        and not coalesce(is_permission(n.status, n.channel, n.ad_user_data, n.ad_personalization)
                         and n.dated_by = 'record' and n.recorded_at > o.recorded_at, false))

-- name: drop_physical
drop table {target}
