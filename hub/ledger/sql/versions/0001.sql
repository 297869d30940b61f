-- Version 1. Times are microseconds since 1970 in UTC; keys are keyed hashes; no column but `handle` and `rows` may
-- hold an address, and both are wiped with their row.

create table runs (
    run_id text primary key,
    command text not null,
    as_of integer,
    started_at integer not null,
    ended_at integer,
    status text,
    report text
);
create index runs_by_start on runs (started_at);

create table audiences (
    audience_id integer primary key,
    sync text not null,
    destination text not null,
    name text not null,
    remote_id text,
    definition text,
    generation integer not null default 0,
    last_as_of integer,
    created_at integer not null,
    retired_at integer,
    withheld_digest text,
    holdout_digest text,
    unique (destination, name)
);

-- state: one letter, see hub/ledger/states.py. No foreign key: audiences are never deleted, and a million rows are
-- written at once.
create table membership (
    audience_id integer not null,
    member_key text not null,
    state text not null,
    attributes_hash text,
    data_hash text,
    handle text,
    entered_at integer,
    delivered_at integer,
    sent_at integer,
    due_at integer,
    attempts integer not null default 0,
    receipt_id integer,
    reason text,
    primary key (audience_id, member_key)
) without rowid;

create table spells (
    audience_id integer not null references audiences,
    member_key text not null,
    entered_at integer,
    delivered_at integer,
    sent_at integer,
    left_at integer not null
);
create index spells_by_member on spells (audience_id, member_key);

create table intents (
    intent_id integer primary key,
    run_id text,
    audience_id integer not null references audiences,
    op text not null,
    batch_key text not null,
    rows blob,
    members integer not null,
    repeatable integer not null,
    capped integer not null,
    as_of integer,
    written_at integer not null,
    settled_at integer
);
create index intents_open on intents (intent_id) where settled_at is null;

create table receipts (
    receipt_id integer primary key,
    audience_id integer not null references audiences,
    op text not null,
    batch_key text not null,
    receipt text not null,
    rows blob,
    members integer not null,
    repeatable integer not null,
    capped integer not null,
    as_of integer,
    accepted_at integer not null,
    deadline integer not null,
    look_at integer not null,
    looks integer not null default 0,
    settled_at integer
);
create index receipts_open on receipts (audience_id) where settled_at is null;

create table blocks (
    number integer primary key autoincrement,
    address_key text not null,
    channel text not null,
    reason text not null,
    recorded_at integer not null,
    origin text not null,
    written_at integer not null,
    lifted_at integer
);
create unique index blocks_standing on blocks (address_key, channel, reason) where lifted_at is null;

create table withheld (
    audience_id integer not null references audiences,
    person_key text not null,
    code text not null,
    since integer not null,
    primary key (audience_id, person_key)
) without rowid;

create table holdouts (
    audience_id integer not null references audiences,
    person_key text not null,
    entered_at integer not null,
    left_at integer
);
create unique index holdouts_standing on holdouts (audience_id, person_key) where left_at is null;
create index holdouts_by_person on holdouts (audience_id, person_key);

create table listening (
    connection text primary key,
    heard_at integer not null
);

create table freshness (
    source text not null,
    table_name text not null,
    start integer,
    fresh_until integer,
    rows integer not null,
    rejected integer not null,
    status text not null,
    read_at integer not null,
    primary key (source, table_name)
);

create table held (
    held_id integer primary key,
    sync text not null,
    guard text not null,
    size integer not null,
    about text not null default '',
    detail text not null default '',
    held_at integer not null,
    approved_at integer,
    used_at integer
);
create unique index held_standing on held (sync, guard) where used_at is null;

create table deliveries (
    delivery_id integer primary key autoincrement,
    member_key text not null,
    audience_id integer not null references audiences,
    delivered_at integer not null
);
create index deliveries_by_time on deliveries (delivered_at);
create index deliveries_by_key on deliveries (member_key);

create table usage (
    connection text not null,
    day text not null,
    calls integer not null,
    primary key (connection, day)
) without rowid;

create table memory (
    connection text not null,
    key text not null,
    value text not null,
    primary key (connection, key)
) without rowid;

create table schedule (
    sync text primary key,
    last_run_at integer not null,
    status text not null
);

create table audit (
    audit_id integer primary key,
    written_at integer not null,
    action text not null,
    subject_key text,
    detail text not null
);
