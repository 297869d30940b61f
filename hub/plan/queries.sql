-- name: membership
create temporary table {membership} (
    member_key varchar, state varchar, attributes_hash varchar, data_hash varchar, due_at timestamp, sent_at timestamp
)
-- name: fill_membership
insert into {membership} by name select {columns} from {batch}
-- name: withhold
insert into {withheld} by name
select c.person_id, $code as code from {cleared} as c semi join {people} using (person_id)
-- name: withhold_refused
select c.person_id, 'REFUSED' as code from {cleared} as c
join {membership} as m using (member_key)
where (m.state = 'refused' or m.state = 'unknown' and m.data_hash is not null)
  and m.data_hash is not distinct from c.data_hash
-- name: withhold_holdout
-- The first 13 hexadecimal digits of a keyed hash are a number below 2^52, so a share in [0, 1) that is the same in every run.
-- Another address may come to stand for a person. Whoever was held out is so by the address that was drawn then, and who
-- is in stays in, unless all are drawn anew.
with draws as (
    select c.person_id, p.person_ref as reference, false as before
    from {cleared} as c join people as p using (person_id)
    union all
    select i.person_id, case i.kind when 'customer' then 'customer:' || i.system || ':' || i.value else i.kind || ':' || i.value end, true
    from {cleared} as c join identities as i using (person_id) semi join held_out as h on h.person_key = i.address_key
), drawn as (
    select person_id, bool_or(before) as before from draws
    where ('0x' || left(keyed_hash('holdout:' || $salt || ':' || reference), 13))::ubigint / 4503599627370496.0 < $share
    group by person_id
)
select person_id, 'HOLDOUT' as code from drawn
where before or $redraw or person_id not in (
    select i.person_id from identities as i join {membership} as m on m.member_key = i.address_key
    where m.state in ('adding', 'accepted', 'held', 'unknown'))
-- name: withhold_cooldown
select c.person_id, 'COOLDOWN' as code from {cleared} as c
left join {membership} as m using (member_key)
where (coalesce(m.state, 'absent') in ('absent', 'refused') or m.due_at = 'epoch'::timestamp)
  and c.person_id in (
    select i.person_id from identities as i join last_deliveries as d on d.member_key = i.address_key
    where d.delivered_at > $now::timestamp - $cooldown::interval)
-- name: withhold_stale
-- Orders older than carts: nobody is added who may have bought; whoever is in stays until the orders catch up.
select c.person_id, 'STALE_SOURCE' as code from {cleared} as c
left join {membership} as m using (member_key)
where (coalesce(m.state, 'absent') in ('absent', 'refused') or m.due_at = 'epoch'::timestamp)
-- name: withhold_cap
-- A mail to any address of the person counts, and so does one that an earlier sync of this run is about to send.
select distinct c.person_id, 'FREQUENCY_CAP' as code from {cleared} as c
left join {membership} as m using (member_key)
where (coalesce(m.state, 'absent') in ('absent', 'refused') or m.due_at = 'epoch'::timestamp)
  and (c.person_id in (
        select i.person_id from identities as i join recent_deliveries as r on r.member_key = i.address_key)
    or c.member_key in (select member_key from recent_deliveries)
    or c.person_id in (select person_id from planned_deliveries))
-- name: nobody
create temporary table {cleared} (member_key varchar, attributes_hash varchar)
-- name: changes
-- Who is added, updated or leaves, by one join; who stays as they are is not listed. A removal that waits for its
-- receipt or for its next attempt is not due; an update waits for the receipt of what was sent before, because a vendor
-- may work on two jobs in any order. Who is unknown and due since the epoch is tried again because somebody said so, and
-- waits for that as long as a pause or a cap keeps them out.
create temporary table {changes} as
select member_key, op, waits
from (
    select coalesce(c.member_key, m.member_key) as member_key,
        coalesce(m.due_at > $now::timestamp or (m.state = 'accepted' and c.member_key is not null), false) as waits,
        case
            when c.member_key is null then case
                when m.state = 'removing' and m.due_at > $now::timestamp then 'unchanged'
                when m.due_at = 'epoch'::timestamp and p.member_key is not null then 'unchanged'
                when m.state in ('adding', 'accepted', 'held', 'removing', 'unknown') then 'leave'
                else 'unchanged'
            end
            when m.state is null or m.state in ('absent', 'refused', 'removing') then 'add'
            when m.state = 'unknown' and ($repeatable or m.due_at = 'epoch'::timestamp) then 'add'
            when m.state = 'unknown' then 'unchanged'
            when $updates and m.attributes_hash is distinct from c.attributes_hash then 'update'
            when $refresh::interval is not null and m.sent_at <= $now::timestamp - $refresh::interval
                then case when $updates then 'update' else 'add' end
            else 'unchanged'
        end as op
    from {cleared} as c full join {membership} as m on m.member_key = c.member_key
    left join {permitted} as p on p.member_key = m.member_key and m.due_at = 'epoch'::timestamp
)
where op <> 'unchanged'
-- name: leaving
create temporary view {leaving} as select member_key from {changes} where op = 'leave'
-- name: somebody_leaves
select 1 from {leaving} limit 1
-- name: no_removals
create temporary table {removals} (member_key varchar, demanded boolean)
-- name: leaving_persons
create temporary table {persons} as
select distinct i.person_id from {leaving} as l join identities as i on i.address_key = l.member_key
-- name: removals
-- A removal is demanded where a record asks for it: a code that stands for a recorded no, an expiry, or, for a person
-- whom the catalog no longer knows, a standing block on the address.
create temporary table {removals} as
with judged as (
    select l.member_key,
        bool_or(w.code in (select unnest($demanding::varchar[]))) as recorded,
        bool_or(r.address_key is not null) as withdrawn,
        bool_or(b.address_key is not null) as blocked,
        count(i.person_id) > 0 as known,
        bool_or(c.member_key is not null) as permitted
    from {leaving} as l
    left join identities as i on i.address_key = l.member_key
    left join {withheld} as w on w.person_id = i.person_id
    left join consent_withdrawals as r on r.address_key = l.member_key and r.channel = $channel
    left join standing_blocks as b on b.address_key = l.member_key and b.channel in ('*', $channel)
    left join {permitted} as c on c.member_key = l.member_key
    group by l.member_key
), decided as (
    select member_key,
        coalesce(recorded, false) or coalesce(withdrawn and not permitted, false)
            or coalesce(blocked and not known, false) as demanded,
        coalesce(permitted, false) as permitted
    from judged
)
select member_key, demanded from decided
where demanded or (not $only_demanded and ($mirror or not permitted))
-- name: counts
select op, count(*), count(*) filter (where waits) from {changes} group by op
-- name: removal_counts
select count(*), count(*) filter (where demanded) from {removals}
-- name: held_count
-- How many may be held; how many rows there are, and how many of them are anything but held and at rest.
select count(*) filter (state in ('adding', 'accepted', 'held', 'removing', 'unknown')), count(*),
    count(*) filter (state <> 'held' or due_at is not null), min(sent_at)
from {membership}
-- name: no_changes
create temporary table {changes} (member_key varchar, op varchar, waits boolean)
-- name: entries
select c.op, c.member_key, x.attributes_hash
from {changes} as c join {cleared} as x using (member_key)
where c.op in ('add', 'update')
union all
select 'remove', member_key, null from {removals}
order by 1, 2
-- name: some_leaving
select member_key from {removals} order by member_key limit $most
-- name: related
select distinct other.address_key
from identities as mine join identities as other using (person_id)
where mine.address_key in (select unnest($keys::varchar[]))
-- name: accounts
-- The shop's accounts of whoever was mailed at an address.
select distinct m.number, account.address_key
from mailed as m join identities as mine on mine.address_key = m.member_key and mine.kind <> 'customer'
join identities as account on account.person_id = mine.person_id and account.kind = 'customer'
order by 1, 2
-- name: withheld_people
select coalesce(w.person_key, keyed_hash(p.person_ref)) as person_key, max(w.code) as code
from {withheld} as w join people as p using (person_id) group by all
-- name: holdouts
select distinct coalesce(w.person_key, keyed_hash(p.person_ref)) as person_key
from {withheld} as w join people as p using (person_id) where w.code = 'HOLDOUT'
-- name: planned_deliveries
create or replace temporary table planned_deliveries (person_id bigint)
-- name: restrict
delete from {changes} where op in ('add', 'update') and member_key not in (select member_key from {wanted})
