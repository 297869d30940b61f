-- What `check` counts in the rows that could be read.

-- name: tables
create temp table seen_customers (customer_id varchar, email varchar);
create temp table seen_orders (placed_at timestamp);
create temp table seen_carts (created_at timestamp);
create temp table seen_consents (subject varchar, channel varchar, status varchar)

-- name: add
insert into seen_{table} by name select * from rows

-- name: duplicate_emails
select count(*) from (
    select word_of(email) as address from seen_customers where email is not null group by 1 having count(*) > 1)

-- name: bad_emails
select count(*) from seen_customers
where email is not null and not regexp_full_match(trim(email), '[^@\s,;<>"]+@[^@\s,;<>"]+\.[^@\s,;<>".\d][^@\s,;<>".]*')

-- name: role_emails
select count(*) from seen_customers
where split_part(word_of(email), '@', 1) in ('abuse', 'accounts', 'admin', 'billing', 'contact', 'hello', 'help', 'hostmaster',
    'info', 'jobs', 'kontakt', 'mail', 'marketing', 'no-reply', 'noreply', 'office', 'orders', 'postmaster', 'press',
    'privacy', 'root', 'sales', 'security', 'service', 'shop', 'support', 'team', 'webmaster')

-- name: without_email
select count(*) from seen_customers where email is null

-- name: future_orders
select count(*) from seen_orders where placed_at > $fresh::timestamp + interval 1 day

-- name: future_carts
select count(*) from seen_carts where created_at > $fresh::timestamp + interval 1 day

-- name: consents
select channel, count(*) filter (status = 'subscribed') as agreed, count(*) as said from seen_consents group by 1 order by 1
