-- What was said about each address on each channel, merged: docs/reference/consent.md, "How statements are merged".
-- Variables: consent_as_of, consent_due (the later of as_of and now), consent_country (the shop's).
-- Registered: consent_block_input, consent_prefix_input, consent_analytics_sources.
-- `blocks` comes first, then `everything` or `narrowed`, then `merging` in the order it is written here.

-- name: blocks
-- The ledger's blocks, one row per channel they bar. An erasure bars every channel whatever it was recorded for.
create or replace temporary table consent_blocks as
select
    b.address_key, c.channel, b.reason, b.origin,
    coalesce(b.recorded_at, timestamp '9999-12-31') as recorded_at
from consent_block_input as b
join (values ('email'), ('sms'), ('whatsapp'), ('ads'), ('analytics')) as c(channel)
    on b.channel in (c.channel, '*') or b.reason = 'erasure';

-- name: everything
create or replace temporary view consent_said as select * from consent_records;
create or replace temporary view consent_known as select * from people

-- name: no_dirty
create or replace temporary table consent_dirty (person_id bigint);

-- name: narrowed
-- Verdicts are stored (see stored.sql): only of people with a block on an address of theirs, and of those whose
-- verdict time alone may change, is anything merged and judged anew.
create or replace temporary table consent_dirty as
with blocked as (select distinct address_key from consent_blocks)
select person_id from derived.consent_unsteady
union
select i.person_id from identities as i semi join blocked as b using (address_key)
union
select r.person_id from consent_records as r semi join blocked as b using (address_key) where r.person_id is not null;
create or replace temporary table consent_scope as
select i.address_key from identities as i semi join consent_dirty as d using (person_id)
union
select r.address_key from consent_records as r semi join consent_dirty as d using (person_id)
union
select address_key from consent_blocks;
create or replace temporary view consent_said as
select r.* from consent_records as r semi join consent_scope as s using (address_key);
create or replace temporary view consent_known as
select p.* from people as p semi join consent_dirty as d using (person_id)

-- name: statements
-- One row per statement. `stance` is what it comes to: a refused flag of the ads channel is a refusal, both granted
-- are a yes. `own_time`: its time is the record's own, not a file's. A denial without any time is the newest of all.
create or replace temporary table consent_statements as
with said as (
    select
        *,
        coalesce(channel = 'ads' and (not ad_user_data or not ad_personalization), false) as refuses,
        coalesce(channel = 'ads' and ad_user_data and ad_personalization, false) as grants
    from consent_said
),
weighed as (
    select
        *,
        case
            when status in ('invalid', 'unsubscribed') then status
            when refuses then 'refused'
            when status = 'pending' then 'pending'
            when status = 'subscribed' or grants then 'subscribed'
            when status = 'never' then 'never'
            else 'unknown'
        end as stance
    from said
)
select
    person_id, address_kind, address, address_key, channel, source, status, basis, recorded_at, dated_by, evidence,
    notice, country, region, expires_at, ad_user_data, ad_personalization, sale_opt_out, grants, stance,
    coalesce(recorded_at, loaded_at, case when stance <> 'subscribed' then timestamp '9999-12-31' end) as said_at,
    coalesce(recorded_at is not null and dated_by = 'record', false) as own_time,
    false as superseded,
    coalesce(source_rank, 1000000)::integer as source_rank,
    hash(source, address_key, channel) as said_by,
    hash(address_key, channel) as said_of
from weighed
where address_key is not null;

-- name: repeated
-- Statements that one source made about one address and channel under several subjects (rare); the hash may put
-- a few more here, which is harmless.
create or replace temporary table consent_repeated as
select s.rowid as id, s.source, s.address_key, s.channel, s.stance, s.said_at
from consent_statements as s
where s.said_by in (select said_by from consent_statements group by said_by having count(*) > 1);

-- name: turned
-- A yes that becomes a no within one source is an opt-out from the first no. At equal times nothing became anything.
update consent_statements set stance = 'unsubscribed'
where rowid in (
    select id from (
        select
            id, stance,
            lag(stance) over (
                partition by source, address_key, channel
                order by said_at nulls first, stance = 'subscribed'
            ) as before
        from consent_repeated
        where stance in ('subscribed', 'never')
    )
    where stance = 'never' and before = 'subscribed'
);

-- name: superseded
-- Per source the latest statement stands; at equal times the one that permits less, but "never" and "unknown" say
-- too little to outweigh a yes. A permission recorded after as_of is not there yet.
update consent_statements set superseded = true
where stance in ('subscribed', 'pending') and rowid in (
    with eligible as (
        select
            r.id, r.source, r.address_key, r.channel, s.stance, s.said_at,
            list_position(
                ['unknown', 'never', 'subscribed', 'pending', 'refused', 'invalid', 'unsubscribed'], s.stance
            ) as weight
        from consent_repeated as r
        join consent_statements as s on s.rowid = r.id
        where s.stance <> 'subscribed' or s.said_at <= getvariable('consent_as_of')
    ),
    standing as (
        select
            id, stance,
            first_value(stance) over (
                partition by source, address_key, channel
                order by said_at desc, weight desc
            ) as stands
        from eligible
    )
    select id from standing where stance <> stands
);

-- name: time_of
-- A statement's rank is one number: time, then own time before a file's, double before single, the source listed
-- first, a hash that makes ties come out the same everywhere, and in its last 32 bits the statement's rowid. So the
-- greatest rank of a set is its latest statement, and tells both when it was and which one it is.
create or replace temporary macro consent_time_of(rank) as (rank >> 66)::bigint;

-- name: number_of
create or replace temporary macro consent_number_of(rank) as (rank & 4294967295)::bigint;

-- name: crowded
-- Addresses and channels with more than one statement or with a block; the others need no merging. The hash may put
-- a few more here, which is harmless.
create or replace temporary table consent_crowded as
select said_of from consent_statements group by said_of having count(*) > 1
union
select hash(address_key, channel) from consent_blocks;

-- name: merged
-- One row per address and channel. Every `…_id` of a permission is the latest statement that is live, recorded by
-- as_of, not superseded, and newer by its own time than whatever was refused before it.
create or replace temporary table consent_merged as
with ranked as (
    select
        *,
        greatest(0, epoch_us(coalesce(said_at, timestamp '1970-01-01')))::hugeint * 73786976294838206464
            + (
                own_time::bigint * 8589934592
                + coalesce(basis = 'opt_in_double', false)::bigint * 4294967296
                + (4095 - least(source_rank, 4095))::bigint * 1048576
                + (hash(source, country, region, basis, evidence, status) >> 44)::bigint
            )::hugeint * 4294967296
            + rowid as rank,
        said_at <= getvariable('consent_as_of')
            and coalesce(expires_at > getvariable('consent_due'), true) as live,
        coalesce(
            expires_at,
            case
                when own_time and basis = 'implied_purchase' then said_at + interval 24 months
                when own_time and basis = 'implied_inquiry' then said_at + interval 6 months
            end
        ) > getvariable('consent_due') as implied_lasts,
        source in (select source from consent_analytics_sources) as from_analytics
    from consent_statements
),
judged as (
    select
        *,
        stance = 'subscribed' and not superseded and live and case channel
            when 'ads' then grants or basis is null or basis in ('opt_in_single', 'opt_in_double')
            else coalesce(basis in ('opt_in_single', 'opt_in_double'), false)
        end as opt_in
    from ranked
),
sorted as (
    select
        address_key, channel, said_of, rank as latest,
        case when stance = 'invalid' then rank end as invalid,
        case when stance = 'unsubscribed' then rank end as withdrawn,
        case when stance = 'refused' then rank end as refused,
        case when stance = 'pending' and not superseded then rank end as pending,
        case when opt_in then rank end as opt_in,
        case when opt_in and basis = 'opt_in_double' then rank end as double,
        case when opt_in and grants then rank end as flags,
        case when opt_in and grants and not from_analytics then rank end as elsewhere,
        case when opt_in and own_time then rank end as own_opt_in,
        case when opt_in and own_time and basis = 'opt_in_double' then rank end as own_double,
        case when opt_in and own_time and grants then rank end as own_flags,
        case when opt_in and own_time and grants and not from_analytics then rank end as own_elsewhere,
        case
            when live and implied_lasts and not superseded and basis in ('implied_purchase', 'implied_inquiry')
                and stance in ('subscribed', 'never', 'unknown')
                then rank
        end as implied,
        case when live and notice and stance <> 'refused' then rank end as notice,
        case when not notice then rank end as no_notice
    from judged
),
grouped as (
    select address_key, channel, max(columns(* exclude (address_key, channel, said_of)))
    from sorted
    where said_of in (select said_of from consent_crowded)
    group by address_key, channel
),
barred as (
    select
        address_key, channel,
        bool_or(reason = 'erasure') as erased,
        bool_or(reason = 'complaint') as complained,
        bool_or(reason = 'manual') as by_hand,
        bool_or(reason = 'hard_bounce') as hard_bounced,
        epoch_us(max(recorded_at) filter (reason = 'unsubscribed')) as block_time,
        epoch_us(max(recorded_at) filter (reason = 'soft_bounce')) as soft_time
    from consent_blocks
    group by address_key, channel
),
together as (
    select * from grouped full join barred using (address_key, channel)
    union all by name
    select * exclude (said_of) from sorted where said_of not in (select said_of from consent_crowded)
),
walled as (
    select
        *,
        greatest(
            consent_time_of(invalid), consent_time_of(withdrawn), consent_time_of(refused), block_time, soft_time
        ) as wall,
        coalesce(consent_time_of(own_opt_in), -1) as lifted
    from together
),
standing as (
    select
        * exclude (opt_in, double, flags),
        coalesce(consent_time_of(invalid) >= lifted, false) as is_invalid,
        coalesce(consent_time_of(withdrawn) >= lifted, false) as is_withdrawn,
        coalesce(block_time >= lifted, false) as is_unsubscribed,
        coalesce(consent_time_of(refused) >= lifted, false) as is_refused,
        coalesce(soft_time >= lifted, false) as is_soft_bounced,
        case when wall is null then opt_in when consent_time_of(own_opt_in) > wall then own_opt_in end as opt_in,
        case when wall is null then double when consent_time_of(own_double) > wall then own_double end as double,
        case when wall is null then flags when consent_time_of(own_flags) > wall then own_flags end as flags,
        case when wall is null then elsewhere is not null else consent_time_of(own_elsewhere) > wall end as proven
    from walled
),
decided as (
    select
        *,
        case
            when is_invalid then 'invalid'
            when is_withdrawn or is_unsubscribed then 'unsubscribed'
            when is_refused then 'refused'
            when pending is not null then 'pending'
            when opt_in is not null then 'subscribed'
        end as stance,
        consent_number_of(case
            when is_invalid then invalid
            when is_withdrawn then withdrawn
            when is_refused then refused
            when pending is not null then pending
            when opt_in is not null then opt_in
            else latest
        end) as decides_id
    from standing
)
select
    d.address_key, d.channel, d.stance, d.decides_id, s.country, s.region,
    coalesce(d.erased or d.complained or d.by_hand, false) as person_barred,
    coalesce(d.hard_bounced or d.is_soft_bounced, false) as address_barred,
    d.is_withdrawn or d.is_unsubscribed as opted_out,
    d.is_refused as refused,
    case
        when d.erased then 'erasure'
        when d.complained then 'complaint'
        when d.by_hand then 'manual'
        when d.hard_bounced then 'hard_bounce'
        when d.is_unsubscribed then 'unsubscribed'
        when d.is_soft_bounced then 'soft_bounce'
    end as block_reason,
    d.opt_in, d.double, d.flags, d.implied, not coalesce(d.proven, false) as analytics_only,
    case
        when coalesce(consent_time_of(d.notice) > consent_time_of(d.no_notice), true) then d.notice
    end as notice
from decided as d
left join (select rowid as id, country, region from consent_statements where country is not null) as s
    on s.id = d.decides_id;

-- name: state
create or replace temporary view consent_state as
select
    s.person_id, s.address_kind, s.address, m.address_key, m.channel, s.status, s.basis, s.recorded_at, s.dated_by,
    s.source, s.evidence, s.notice, s.country, s.region, s.expires_at, s.ad_user_data, s.ad_personalization,
    s.sale_opt_out, m.stance, m.block_reason, b.recorded_at as block_recorded_at, b.origin as block_origin,
    m.decides_id
from consent_merged as m
left join consent_statements as s on s.rowid = m.decides_id
left join (
    select address_key, channel, reason, max(recorded_at) as recorded_at, max_by(origin, recorded_at) as origin
    from consent_blocks
    group by all
) as b on b.address_key = m.address_key and b.channel = m.channel and b.reason = m.block_reason;

-- name: withdrawals
-- Addresses and channels on which a record says no, or a permission has ended.
create or replace temporary view consent_merged_withdrawals as
select distinct address_key, channel from consent_state
where expires_at <= getvariable('consent_due')
    or stance in ('unsubscribed', 'invalid', 'refused')
    or (channel = 'ads' and sale_opt_out);
create or replace temporary view consent_withdrawals as from consent_merged_withdrawals;

-- name: narrowed_withdrawals
create or replace temporary view consent_withdrawals as
select address_key, channel from derived.consent_withdrawn anti join consent_scope using (address_key)
union all
from consent_merged_withdrawals;

-- name: sale_opt_outs
create or replace temporary table consent_sale_opt_outs as
select distinct address_key from consent_statements where sale_opt_out;

-- name: strays
-- Addresses that a person's record once showed: a refusal given for one counts, but nobody is contacted there. Only
-- those with something on them are kept.
create or replace temporary table consent_strays as
with troubled as (
    select address_key from consent_merged where person_barred or opted_out or refused
    union
    select address_key from consent_sale_opt_outs
    union
    select address_key from consent_blocks
)
select distinct s.person_id, s.address_kind as kind, s.address, s.address_key
from consent_statements as s
semi join troubled as t on t.address_key = s.address_key
anti join identities as i on i.person_id = s.person_id and i.address_key = s.address_key
where s.person_id is not null;

-- name: addresses
create or replace temporary view consent_addresses as
select person_id, kind, value as address, address_key, last_seen_at, true as current, system from identities
union all
select person_id, kind, address, address_key, null, false, null from consent_strays;

-- name: flagged
-- Addresses with something on them that concerns the whole person, whatever kind of address is asked for.
create or replace temporary table consent_flagged as
with flags as (
    select address_key, channel from consent_merged where person_barred or opted_out or refused
    union
    select address_key, 'ads' from consent_sale_opt_outs
)
select a.*, f.channel
from flags as f
join consent_addresses as a using (address_key);

-- name: places
-- Where a person lives, as their latest order says, else their record; and when they last bought.
create or replace temporary table consent_places as
select
    p.person_id, p.birth_date, p.phone, b.last_bought_at,
    coalesce(b.country, p.country) as country,
    case when b.country is not null then b.region else p.region end as region,
    case when b.country is not null then 'order' when p.country is not null then 'customer' end as found_in
from consent_known as p
left join order_places as b on b.person_id = p.person_id;

-- name: phones
-- The country of a phone's prefix, for people of whom nothing better is known.
create or replace temporary table consent_phones as
with numbers as (
    select distinct i.value as phone
    from identities as i
    semi join (select person_id from consent_places where country is null) as p using (person_id)
    where i.kind = 'phone'
)
select n.phone, coalesce(four.country, three.country, two.country, one.country) as country
from numbers as n
left join consent_prefix_input as four on four.prefix = substr(n.phone, 2, 4)
left join consent_prefix_input as three on three.prefix = substr(n.phone, 2, 3)
left join consent_prefix_input as two on two.prefix = substr(n.phone, 2, 2)
left join consent_prefix_input as one on one.prefix = substr(n.phone, 2, 1);
