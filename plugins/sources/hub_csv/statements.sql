-- Statements of the CSV source. Names in braces are filled in by Python: expressions, positions of columns, quoted literals.

-- name: csv
read_csv({path}, auto_detect = false, header = true, columns = {{{columns}}}, delim = {delimiter}, quote = '"',
    escape = '"', nullstr = '', compression = {compression}, {errors})

-- name: storing
store_rejects = true, rejects_table = 'rejects_{scan}', rejects_scan = 'scans_{scan}'

-- name: scanned
select count(columns(*)) from {csv}

-- name: scans
select table_name from duckdb_tables() where starts_with(table_name, 'rejects_{number}_')

-- name: plain
select {fields} from {csv}

-- name: numbered
-- The reader leaves out the records it rejects: each one before a row moves the row's number by one.
select {fields}, _row + len(list_filter({shifts}::bigint[], lambda gap: gap <= _row)) as _record, {raw} as _raw
from (select *, row_number() over () as _row from {csv})

-- name: without_stale
select * from ({rows}) where ({key}) is null or ({key}) not in (select key from stale where part = {number})

-- name: spread
select *, unnest([{each}]) as each from ({rows})

-- name: kept
select * from ({rows}) where {keep}

-- name: valued
select *, {values} from ({rows})

-- name: rows
select {columns}, {origin} as _origin, {reason} as _reason from ({rows})

-- name: numbered_rows
select *, case when _reason is not null or {small} then _raw_lazy end as _raw from (
    select {columns}, {origin} as _origin, _record, _raw as _raw_lazy, {reason} as _reason from ({rows}))

-- name: look_again
select * from ({rows}) where _reason is not null

-- name: rejects
-- A record is told once per column that it lacks or has too many; the first or the last of these has the number.
-- One that is too long is told without a column.
select line, any_value(error_type)::varchar, any_value(csv_line), coalesce(
    case when any_value(error_type) = 'MISSING COLUMNS' then arg_min(error_message, column_idx)
        else arg_max(error_message, column_idx) end, any_value(error_message))
from {table} group by line order by line

-- name: unreadable
select min(line) from {table} where error_type = 'INVALID ENCODING'

-- name: make_keys
create or replace temp table keys (part integer, key varchar)

-- name: add_keys
insert into keys select {number}, {key} from ({rows}) where ({reason}) is null

-- name: make_stale
create or replace temp table stale as
select keys.key, keys.part from keys
join (select key, max(part) as newest from keys group by key having min(part) < max(part)) using (key)
where keys.part < newest

-- name: make_contents
create or replace temp table contents (part integer, key varchar, content ubigint)

-- name: add_contents
insert into contents select {number}, {key}, hash({content}) from ({rows})
where ({key}) in (select key from stale)

-- name: disagreeing
select count(*) from (select key from contents group by key having count(distinct content) > 1)

-- name: make_group
create or replace temp table raw as
select {number} as _part, {key} as _key, {head} as _head, * from ({rows})

-- name: add_group
insert into raw by name select {number} as _part, {key} as _key, {head} as _head, * from ({rows})

-- name: make_heads
create or replace temp table heads as
select _key, min(rowid) as head_row, any_value({id}) as _head_id, min(_part) < max(_part) as spans
from raw where _head and _key is not null group by _key

-- name: spanning
select count(*) from heads where spans

-- name: repeated_heads
select count(*) > (select count(*) from heads) from raw where _head and _key is not null

-- name: make_older
create or replace temp table older as
select _key, _part from (
    select _key, _part, max(_part) over (partition by _key) as newest
    from raw where _head and _key in (select _key from heads where spans) group by _key, _part)
where _part < newest

-- name: disagreeing_groups
select count(*) from (
    select _key from raw where _head and _key in (select _key from older)
    group by _key having count(distinct hash({content})) > 1)

-- name: delete_older
delete from raw where (_key, _part) in (select _key, _part from older)

-- name: group_rows
select {columns}, {origin} as _origin, _record, _raw, _part, _key, rowid as _rowid, {reason} as _reason from ({rows})

-- name: heads_of_groups
select *, rowid from raw where _head

-- name: first_heads_of_groups
select *, rowid from raw where _head and (_key is null or rowid in (select head_row from heads))

-- name: make_refused
create or replace temp table refused (_key varchar)

-- name: add_refused
insert into refused select unnest($keys::varchar[])

-- name: lines_of_groups
-- A line of an order that was refused goes with it; one whose order has no record of its own is told apart.
select raw.* exclude (_key), raw._key, raw.rowid as rowid, heads._head_id,
    (raw.rowid - heads.head_row + 1)::varchar as _line
from raw left join heads using (_key)
where {keep} and case when _key is null then not _head else _key not in (select _key from refused) end

-- name: group_starts
select _part, min(rowid) from raw group by _part

-- name: records
select _row, _record, _raw from ({rows}) where _row in (select unnest({wanted}::bigint[]))

-- name: make_statements
create or replace temp table statements as {rows}

-- name: add_statements
insert into statements by name {rows}

-- name: faults_of_statements
select count(_reason), count(*) filter (usable) > count(distinct hash(lower(subject), channel)) filter (usable)
from (select *, _reason is null and subject is not null as usable from statements)

-- name: pick_statements
-- Of several statements about one address the latest stands; a record's own time outranks a file's date,
-- except under a file's withdrawal that is as new; of equals the one that permits less.
create or replace temp table statements as
select * exclude (_own, _rank) from (
    select *, max(recorded_at) filter (dated_by = 'record') over (partition by lower(subject), channel) as _own,
        list_position(['invalid', 'unsubscribed', 'never', 'unknown', 'pending', 'subscribed'], status) as _rank
    from statements where _reason is null)
qualify row_number() over (partition by lower(subject), channel order by
    case when dated_by = 'file' and status in ('unsubscribed', 'invalid') and recorded_at >= _own then 0
        when dated_by = 'record' then 1 else 2 end, recorded_at desc, _rank) = 1

-- name: statements
select * from statements where _reason is null
