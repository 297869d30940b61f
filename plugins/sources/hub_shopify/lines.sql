-- From JSON lines, as bulk operations give them, to rows of canonical tables.
--
-- For each list: `…_roots` reads the lines without a parent, flat; `…_children` those with one, in any order. A page is
-- some of the roots (the relation `page`, `id` as text), and each table's block makes that page's rows, with children.
-- Variables: lines (the file), currency (the client's), shows_people (whether personal data is readable at all).

-- name: macros
-- Ids are kept as numbers, as exports write them, so that both doors to a shop speak of the same things.
create macro number_of(gid) as cast(split_part(split_part(gid, '/', 5), '?', 1) as bigint);
create macro text_of(t) as nullif(trim(t), '');
create macro opt_in(status, level) as
    case when status = 'subscribed' then case level when 'CONFIRMED_OPT_IN' then 'opt_in_double' else 'opt_in_single' end end;
-- Whatever is new or unknown is no consent.
create macro status_of(state) as
    case state when 'SUBSCRIBED' then 'subscribed' when 'PENDING' then 'pending' when 'UNSUBSCRIBED' then 'unsubscribed'
        when 'NOT_SUBSCRIBED' then 'never' when 'NEVER_SUBSCRIBED' then 'never' when 'INVALID' then 'invalid'
        else 'unknown' end;
-- Amounts that no currency column can stand beside are left out where they are not in the client's own.
create macro own_money(amount, code) as case when coalesce(code = getvariable('currency'), true) then amount end

-- name: ids
select number_of(id) as id
from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304,
    columns = {'id': 'VARCHAR', '__parentId': 'VARCHAR'})
where __parentId is null

-- name: no_children
create or replace temporary table children as select null::bigint as owner, null::bigint as id where false

-- name: count_lines
select count(*) from children where id is not null

-- name: count_nameless
select count(*) from page where coalesce(email, phone, first_name, last_name) is null

-- name: customers_roots
select number_of(id) as id, text_of(defaultEmailAddress.emailAddress) as email,
    text_of(defaultPhoneNumber.phoneNumber) as phone, text_of(defaultAddress.phone) as address_phone,
    text_of(firstName) as first_name, text_of(lastName) as last_name, defaultAddress.countryCodeV2 as country,
    defaultAddress.provinceCode as region, defaultAddress.city as city, defaultAddress.zip as postcode, locale, tags,
    numberOfOrders as lifetime_orders, own_money(amountSpent.amount, amountSpent.currencyCode) as lifetime_spend,
    createdAt as created_at, updatedAt as updated_at, dataSaleOptOut as sale_opt_out,
    defaultEmailAddress.marketingState as email_state, defaultEmailAddress.marketingOptInLevel as email_level,
    defaultEmailAddress.marketingUpdatedAt as email_at,
    defaultPhoneNumber.smsMarketingConsent as sms, defaultPhoneNumber.whatsAppMarketingConsent as whatsapp
from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304, columns = {
    'id': 'VARCHAR', '__parentId': 'VARCHAR', 'firstName': 'VARCHAR', 'lastName': 'VARCHAR', 'locale': 'VARCHAR',
    'tags': 'VARCHAR[]', 'createdAt': 'VARCHAR', 'updatedAt': 'VARCHAR', 'numberOfOrders': 'VARCHAR',
    'amountSpent': 'STRUCT(amount VARCHAR, currencyCode VARCHAR)', 'dataSaleOptOut': 'VARCHAR',
    'defaultEmailAddress': 'STRUCT(emailAddress VARCHAR, marketingState VARCHAR, marketingOptInLevel VARCHAR, marketingUpdatedAt VARCHAR)',
    'defaultPhoneNumber': 'STRUCT(phoneNumber VARCHAR,
        smsMarketingConsent STRUCT(state VARCHAR, optInLevel VARCHAR, updatedAt VARCHAR, collectedFrom VARCHAR),
        whatsAppMarketingConsent STRUCT(state VARCHAR, optInLevel VARCHAR, updatedAt VARCHAR, collectedFrom VARCHAR))',
    'defaultAddress': 'STRUCT(city VARCHAR, provinceCode VARCHAR, countryCodeV2 VARCHAR, zip VARCHAR, phone VARCHAR)'})
where __parentId is null

-- name: customers_erased
-- A state says that a person was erased. Nothing says it where neither e-mail nor phone is left to have a state; but
-- Shopify takes no customer without name, phone and e-mail, so that a record without all three has lost them.
select id from page
where sms.state = 'REDACTED' or whatsapp.state = 'REDACTED' or email_state = 'REDACTED'
   or (getvariable('shows_people') and coalesce(email, phone, first_name, last_name) is null)

-- name: customers_customers
select id as customer_id, email, coalesce(phone, address_phone) as phone, first_name, last_name, country, region, city,
    postcode, locale, tags, lifetime_orders, lifetime_spend, created_at, updated_at
from page where id not in (select id from erased)

-- name: customers_consents
-- Every channel is told for every customer, so that an address that was taken off the record takes its consent along.
with told as (
    select id, country, region, updated_at, unnest([
        {channel: 'email', status: status_of(email_state), level: email_level, said_at: email_at, sale: null, via: null},
        {channel: 'sms', status: status_of(sms.state), level: sms.optInLevel, said_at: sms.updatedAt, sale: null,
            via: sms.collectedFrom},
        {channel: 'whatsapp', status: status_of(whatsapp.state), level: whatsapp.optInLevel, said_at: whatsapp.updatedAt,
            sale: null, via: whatsapp.collectedFrom},
        {channel: 'ads', status: 'unknown', level: null, said_at: null, sale: sale_opt_out, via: null}]) as said
    from page where id not in (select id from erased))
select id as subject, 'customer_id' as subject_kind, said.channel as channel, said.status as status,
    opt_in(said.status, said.level) as basis,
    coalesce(said.said_at, case when said.status = 'subscribed' then updated_at end) as recorded_at,
    case when said.said_at is not null then 'record' when said.status = 'subscribed' then 'file' end as dated_by,
    case when said.status = 'subscribed' then concat('Shopify: opt-in level ', coalesce(said.level, 'not given'),
        case when said.via is not null then ', collected from ' || said.via else '' end) end as evidence,
    country, region, said.sale as sale_opt_out
from told

-- name: orders_roots
select number_of(id) as id, name, checkoutToken as checkout_token, number_of(customer.id) as customer_id, email, phone,
    processedAt as placed_at, totalPriceSet.shopMoney.currencyCode as currency, totalPriceSet.shopMoney.amount as total,
    totalDiscountsSet.shopMoney.amount as discount, totalRefundedSet.shopMoney.amount as refunded, discountCodes as codes,
    case when cancelledAt is not null then 'cancelled' else case coalesce(displayFinancialStatus, 'PENDING')
        when 'PENDING' then 'pending' when 'AUTHORIZED' then 'pending'
        when 'PAID' then 'paid' when 'PARTIALLY_PAID' then 'paid' when 'PARTIALLY_REFUNDED' then 'paid'
        when 'REFUNDED' then 'refunded' when 'VOIDED' then 'failed' when 'EXPIRED' then 'failed'
        else lower(displayFinancialStatus) end end as status,
    test, sourceName as channel, cartToken as cart_id, cancelledAt as cancelled_at,
    case when shippingAddress.countryCodeV2 is not null then shippingAddress else billingAddress end as place,
    coalesce(try_cast(totalRefundedSet.shopMoney.amount as decimal(18, 2)), 0) > 0 or cancelledAt is not null as came_back
from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304, columns = {
    'id': 'VARCHAR', '__parentId': 'VARCHAR', 'name': 'VARCHAR', 'email': 'VARCHAR', 'phone': 'VARCHAR',
    'test': 'VARCHAR', 'processedAt': 'VARCHAR', 'cancelledAt': 'VARCHAR', 'displayFinancialStatus': 'VARCHAR',
    'sourceName': 'VARCHAR', 'cartToken': 'VARCHAR', 'checkoutToken': 'VARCHAR', 'discountCodes': 'VARCHAR[]',
    'customer': 'STRUCT(id VARCHAR)', 'totalPriceSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR, currencyCode VARCHAR))',
    'totalDiscountsSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR))',
    'totalRefundedSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR))',
    'shippingAddress': 'STRUCT(countryCodeV2 VARCHAR, provinceCode VARCHAR)',
    'billingAddress': 'STRUCT(countryCodeV2 VARCHAR, provinceCode VARCHAR)'})
where __parentId is null

-- name: orders_children
-- Lines of orders have an id; the discounts applied to them have none.
create or replace temporary table children as
select number_of(__parentId) as owner, number_of(id) as id, sku, name as title, vendor, quantity,
    currentQuantity as current_quantity, isGiftCard as gift_card, number_of(product.id) as product_id,
    product.productType as product_type, originalUnitPriceSet.shopMoney.amount as unit_price,
    totalDiscountSet.shopMoney.amount as discount, code, targetType as target
from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304, columns = {
    'id': 'VARCHAR', '__parentId': 'VARCHAR', 'sku': 'VARCHAR', 'name': 'VARCHAR', 'vendor': 'VARCHAR',
    'quantity': 'INTEGER', 'currentQuantity': 'INTEGER', 'isGiftCard': 'VARCHAR',
    'product': 'STRUCT(id VARCHAR, productType VARCHAR)',
    'originalUnitPriceSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR))',
    'totalDiscountSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR))', 'code': 'VARCHAR', 'targetType': 'VARCHAR'})
where __parentId is not null

-- name: orders_gathered
-- Free shipping alone is no discount: neither its code nor its amount counts.
create or replace temporary table applied as
select owner, bool_and(target = 'SHIPPING_LINE') as only_shipping,
    list_distinct(list(lower(code)) filter (target = 'SHIPPING_LINE')) as shipping,
    list_distinct(list(lower(code)) filter (target <> 'SHIPPING_LINE')) as other
from children where id is null group by owner having bool_or(target = 'SHIPPING_LINE')

-- name: orders_orders
select id as order_id, name, checkout_token, customer_id, email, phone, placed_at, currency, total,
    case when only_shipping then '0' else discount end as discount, refunded,
    case when shipping is null then codes else list_filter(codes, lambda code:
        list_contains(other, lower(code)) or not list_contains(shipping, lower(code))) end as discount_codes,
    status, test, channel, cart_id, place.countryCodeV2 as country, place.provinceCode as region, cancelled_at
from page left join applied on applied.owner = page.id

-- name: orders_order_lines
-- A line taken off by editing the order stays listed with nothing left; one that came back for money was bought.
select owner as order_id, children.id as line, product_id, sku, title, product_type, vendor,
    case when came_back then quantity else coalesce(current_quantity, quantity) end as quantity,
    unit_price, children.discount, gift_card
from children join page on children.owner = page.id
where children.id is not null and (came_back or coalesce(current_quantity, quantity) > 0)
order by owner, children.id

-- name: orders_moved
-- Orders that were another customer's when all were read last.
select distinct cast(known.customer_id as varchar) as gone, cast(page.customer_id as varchar) as kept
from page join read_parquet(getvariable('owners')) as known on known.order_id = page.id
where known.customer_id <> page.customer_id order by all

-- name: keep_owners
copy (
    select number_of(id) as order_id, number_of(customer.id) as customer_id
    from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304,
        columns = {'id': 'VARCHAR', '__parentId': 'VARCHAR', 'customer': 'STRUCT(id VARCHAR)'})
    where __parentId is null and customer.id is not null)
to (getvariable('owners')) (format parquet)

-- name: carts_roots
select number_of(id) as id, number_of(customer.id) as customer_id,
    customer.defaultEmailAddress.emailAddress as email, customer.defaultPhoneNumber.phoneNumber as phone,
    createdAt as created_at, updatedAt as updated_at, completedAt as completed_at,
    totalPriceSet.shopMoney.amount as total, totalPriceSet.shopMoney.currencyCode as currency,
    abandonedCheckoutUrl as recovery_url
from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304, columns = {
    'id': 'VARCHAR', '__parentId': 'VARCHAR', 'createdAt': 'VARCHAR', 'updatedAt': 'VARCHAR', 'completedAt': 'VARCHAR',
    'abandonedCheckoutUrl': 'VARCHAR', 'totalPriceSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR, currencyCode VARCHAR))',
    'customer': 'STRUCT(id VARCHAR, defaultEmailAddress STRUCT(emailAddress VARCHAR),
        defaultPhoneNumber STRUCT(phoneNumber VARCHAR))'})
where __parentId is null

-- name: carts_children
create or replace temporary table children as
select number_of(__parentId) as owner, number_of(id) as id, number_of(product.id) as product_id, sku,
    concat_ws(' - ', title, variantTitle) as title, product.productType as product_type, quantity,
    originalUnitPriceSet.shopMoney.amount as unit_price
from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304, columns = {
    'id': 'VARCHAR', '__parentId': 'VARCHAR', 'sku': 'VARCHAR', 'title': 'VARCHAR', 'variantTitle': 'VARCHAR',
    'quantity': 'INTEGER', 'product': 'STRUCT(id VARCHAR, productType VARCHAR)',
    'originalUnitPriceSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR))'})
where __parentId is not null

-- name: carts_carts
select id as cart_id, customer_id, email, phone, created_at, updated_at, completed_at, total, currency, recovery_url
from page

-- name: carts_cart_lines
select owner as cart_id, children.id as line, product_id, sku, title, product_type, quantity, unit_price
from children semi join page on children.owner = page.id
order by owner, children.id

-- name: products_roots
select number_of(id) as id, title, productType as product_type, vendor, status, onlineStoreUrl as url,
    featuredMedia.preview.image.url as image_url,
    own_money(priceRangeV2.minVariantPrice.amount, priceRangeV2.minVariantPrice.currencyCode) as price,
    own_money(compareAtPriceRange.minVariantCompareAtPrice.amount,
        compareAtPriceRange.minVariantCompareAtPrice.currencyCode) as compare_at_price
from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304, columns = {
    'id': 'VARCHAR', '__parentId': 'VARCHAR', 'title': 'VARCHAR', 'productType': 'VARCHAR', 'vendor': 'VARCHAR',
    'status': 'VARCHAR', 'onlineStoreUrl': 'VARCHAR',
    'featuredMedia': 'STRUCT(preview STRUCT(image STRUCT(url VARCHAR)))',
    'priceRangeV2': 'STRUCT(minVariantPrice STRUCT(amount VARCHAR, currencyCode VARCHAR))',
    'compareAtPriceRange': 'STRUCT(minVariantCompareAtPrice STRUCT(amount VARCHAR, currencyCode VARCHAR))'})
where __parentId is null

-- name: products_children
-- Variants say whether they are for sale, collections have a title.
create or replace temporary table children as
select number_of(__parentId) as owner, number_of(id) as id, availableForSale as for_sale, title
from read_json(getvariable('lines'), format = 'newline_delimited', maximum_object_size = 4194304, columns = {
    'id': 'VARCHAR', '__parentId': 'VARCHAR', 'availableForSale': 'BOOLEAN', 'title': 'VARCHAR'})
where __parentId is not null

-- name: products_gathered
create or replace temporary table belonging as
select owner, bool_or(for_sale) as for_sale, list(title order by title) filter (title is not null) as collections
from children group by owner

-- name: products_products
select id as product_id, title, text_of(product_type) as product_type, text_of(vendor) as vendor, collections, url,
    image_url, price, compare_at_price, status = 'ACTIVE' and coalesce(for_sale, false) as in_stock
from page left join belonging on belonging.owner = page.id
