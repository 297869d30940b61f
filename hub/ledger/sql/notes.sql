-- name: heard
insert into listening (connection, heard_at) values (:connection, :at_time)
on conflict (connection) do update set heard_at = excluded.heard_at

-- name: heard_at
select heard_at from listening where connection = :connection

-- name: set_freshness
insert into freshness (source, table_name, start, fresh_until, rows, rejected, status, read_at)
values (:source, :table, :start, :fresh_until, :rows, :rejected, :status, :read_at)
on conflict (source, table_name) do update set start = excluded.start, fresh_until = excluded.fresh_until,
    rows = excluded.rows, rejected = excluded.rejected, status = excluded.status, read_at = excluded.read_at

-- name: freshness
select source, table_name, start, fresh_until, rows, rejected, status, read_at
from freshness order by source, table_name

-- name: drop_freshness
delete from freshness where source = :source

-- name: hold
insert into held (sync, guard, size, about, detail, held_at)
values (:sync, :guard, :size, :about, :detail, :now)
on conflict (sync, guard) where used_at is null do update set
    size = excluded.size, about = excluded.about, detail = excluded.detail, held_at = excluded.held_at,
    approved_at = null

-- name: held_of
select held_id, sync, guard, size, about, detail, held_at, approved_at from held
where used_at is null and (:sync is null or sync = :sync) order by sync, guard

-- name: approve
update held set approved_at = :now
where sync = :sync and used_at is null and approved_at is null and (:guard is null or guard = :guard)

-- name: release_held
delete from held where sync = :sync and used_at is null and (:guard is null or guard = :guard)

-- name: approval
select held_id, size, approved_at from held
where sync = :sync and guard = :guard and about = :about and approved_at is not null and used_at is null

-- name: came_in
-- Who may have arrived since an instant and is not sent again, also those who left meanwhile.
select
    (select count(*) from membership where audience_id = :audience_id and coalesce(delivered_at, sent_at) >= :since
        and (state in ('h', 'a', 'r') or (state = 'u' and due_at is null)))
    + (select count(*) from spells where audience_id = :audience_id and coalesce(delivered_at, sent_at) >= :since)

-- name: narrow_approval
update held set guard = :guard, size = min(size, :size) where held_id = :held_id

-- name: release_others
delete from held where sync = :sync and used_at is null and held_id <> :held_id

-- name: use_approval
update held set used_at = :now where held_id = :held_id

-- name: add_usage
insert into usage (connection, day, calls) values (:connection, :day, :calls)
on conflict (connection, day) do update set calls = usage.calls + excluded.calls

-- name: usage
select calls from usage where connection = :connection and day = :day

-- name: drop_usage
delete from usage where day < :day

-- name: memory_get
select value from memory where connection = :connection and key = :key

-- name: memory_set
insert into memory (connection, key, value) values (:connection, :key, :value)
on conflict (connection, key) do update set value = excluded.value

-- name: set_last_run
insert into schedule (sync, last_run_at, status) values (:sync, :now, :status)
on conflict (sync) do update set last_run_at = excluded.last_run_at, status = excluded.status

-- name: last_runs
select sync, last_run_at, status from schedule order by sync

-- name: add_audit
insert into audit (written_at, action, subject_key, detail) values (:now, :action, :subject_key, :detail)

-- name: audit_of
select written_at, action, subject_key, detail from audit
where :keys is null or subject_key in (select value from json_each(:keys)) order by audit_id
