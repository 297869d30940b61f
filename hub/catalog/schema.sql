-- What the catalog remembers beside the rows: which table came from where, how far it reaches, what was refused.
-- Only one writer, and every row put in by what looks for it first: indexes would make each statement dearer.

-- name: create
create schema if not exists raw;
create schema if not exists merged;
create table if not exists about(key varchar, value varchar);
create table if not exists streams(source varchar, stream varchar, cursor varchar);
create table if not exists loads(
    load_id integer, source varchar, system varchar, stream varchar, table_name varchar,
    state varchar, loaded_at timestamp, brought varchar[]);
create table if not exists readings(source varchar, system varchar, streams varchar[], trouble varchar);
create table if not exists freshness(
    source varchar, table_name varchar, start_at timestamp, fresh_until timestamp);
create table if not exists rejected_rows(
    source varchar, stream varchar, load_id integer, table_name varchar, origin varchar, record bigint,
    reason varchar, raw varchar, loaded_at timestamp);
create table if not exists merged_ids(source varchar, system varchar, customer_id varchar, into_id varchar);
create table if not exists consent_seen(
    rule varchar, system varchar, subject varchar, subject_kind varchar, email varchar, phone varchar,
    recorded_at timestamp);
create table if not exists merged.tills(system varchar, customer_id varchar, emails bigint)

-- name: drop_derived
-- What others made of the merged tables and keep beside them.
drop schema if exists derived cascade

-- name: about
select key, value from about

-- name: forget_about
delete from about where list_contains($keys, key)

-- name: add_about
insert into about select unnest($keys::varchar[]), unnest($values::varchar[])

-- name: touch
update about set value = 'yes' where key = 'changed'

-- name: cursor
select cursor from streams where source = $source and stream = $stream

-- name: set_cursor
merge into streams using (select $source as source, $stream as stream, $cursor as cursor) as n using (source, stream)
when matched then update set cursor = n.cursor
when not matched then insert (source, stream, cursor) values (n.source, n.stream, n.cursor)

-- name: drop_cursor
delete from streams where source = $source and stream = $stream

-- name: loads
select load_id, source, system, stream, table_name, state, brought from loads order by load_id

-- name: add_load
insert into loads values ($load_id, $source, $system, $stream, $table, $state, $loaded_at, $brought)

-- name: set_load_state
update loads set state = $state where load_id = $load_id

-- name: set_brought
update loads set brought = $brought where load_id = $load_id

-- name: drop_load
delete from loads where load_id = $load_id;
delete from rejected_rows where load_id = $load_id

-- name: detach_rejected
update rejected_rows set load_id = null where load_id = $load_id

-- name: forget_rejected
delete from rejected_rows where source = $source and stream = $stream and load_id is null

-- name: add_rejected
insert into rejected_rows values ($source, $stream, $load_id, $table, $origin, $record, $reason, $raw, $loaded_at)

-- name: readings
select source, streams, trouble from readings

-- name: forget_readings
-- The rows of a source that left, or became a door to another shop, are gone.
delete from readings where not exists (
    select 1 from (select unnest($sources::varchar[]) as source, unnest($systems::varchar[]) as system) as n
    where n.source = readings.source and n.system = readings.system)

-- name: set_reading
merge into readings using (
    select $source as source, $system as system, $streams::varchar[] as streams, $trouble as trouble) as n using (source)
when matched then update set streams = list_distinct(readings.streams || n.streams), trouble = n.trouble
when not matched then insert (source, system, streams, trouble) values (n.source, n.system, n.streams, n.trouble)

-- name: set_reach
merge into freshness using (
    select $source as source, unnest($tables::varchar[]) as table_name, unnest($starts::timestamp[]) as start_at,
           unnest($untils::timestamp[]) as fresh_until) as n using (source, table_name)
when matched then update set start_at = n.start_at, fresh_until = n.fresh_until
when not matched then insert (source, table_name, start_at, fresh_until)
    values (n.source, n.table_name, n.start_at, n.fresh_until)

-- name: reach
select table_name, source, start_at, fresh_until from freshness order by source

-- name: rejected
select source, table_name, origin, record, reason, raw, loaded_at from rejected_rows
where $source is null or source = $source
order by source, table_name, origin nulls first, record nulls first, reason limit $limit

-- name: rejected_of_loads
select table_name, origin, record, reason, raw from rejected_rows
where list_contains($loads, load_id) order by load_id, record nulls first limit $limit

-- name: merge_id
insert into merged_ids select $source, $system, read_id($customer_id), read_id($into_id)
where not exists (select 1 from merged_ids where source = $source and customer_id = read_id($customer_id) and into_id = read_id($into_id))

-- name: given
select count(*), count({column}) from {target}
