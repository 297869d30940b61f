-- What a bulk operation of Shopify answers with, as text.

-- name: orders
-- A thousand orders, then their three thousand lines in another order, and so on.
with placed as (
    select n // 4000 * 1000 as base, n % 4000 as place from range($from, $until) as t(n)),
numbered as (
    select place < 1000 as is_order, base + case when place < 1000 then place else place * 7919 % 1000 end as i,
           place // 1000 as child
    from placed)
select case when is_order then format(
    '{{"id":"gid://shopify/Order/{}","name":"#{}","test":false,"processedAt":"2026-{:02d}-{:02d}T10:00:00Z",'
    '"updatedAt":"2026-10-01T10:00:00Z","cancelledAt":null,"displayFinancialStatus":"PAID","sourceName":"web",'
    '"cartToken":"k{}","checkoutToken":"c{}","discountCodes":[],"customer":{{"id":"gid://shopify/Customer/{}"}},'
    '"totalPriceSet":{{"shopMoney":{{"amount":"{}.50","currencyCode":"EUR"}}}},'
    '"totalDiscountsSet":{{"shopMoney":{{"amount":"0.0","currencyCode":"EUR"}}}},'
    '"totalRefundedSet":{{"shopMoney":{{"amount":"0.0","currencyCode":"EUR"}}}},"email":"person{}@example.com",'
    '"phone":null,"shippingAddress":{{"countryCodeV2":"DK","provinceCode":null}},"billingAddress":null}}',
    5000000000 + i, 1000 + i, 1 + i % 9, 1 + i % 28, i, i, 7000000000 + i % 400000, 10 + i % 500, i % 400000)
else format(
    '{{"id":"gid://shopify/LineItem/{}","sku":"SKU-{}","name":"Product {} - Large","vendor":"Acme","quantity":{},'
    '"currentQuantity":{},"isGiftCard":false,"product":{{"id":"gid://shopify/Product/{}","productType":"Shoes"}},'
    '"originalUnitPriceSet":{{"shopMoney":{{"amount":"{}.25","currencyCode":"EUR"}}}},'
    '"totalDiscountSet":{{"shopMoney":{{"amount":"0.0","currencyCode":"EUR"}}}},'
    '"__parentId":"gid://shopify/Order/{}"}}',
    9000000000 + i * 10 + child, i % 100, i % 100, child, child, 8000000000 + i % 100, 5 + i % 50, 5000000000 + i)
end as line
from numbered

-- name: written
copy ({lines}) to '{file}' (format csv, header false, quote '', escape '', delimiter E'\x1f')

-- name: decoded
-- The same lines, every key that stands in them.
select * from read_json($file, format = 'newline_delimited', maximum_object_size = 4194304, columns = {
    'id': 'VARCHAR', '__parentId': 'VARCHAR', 'name': 'VARCHAR', 'email': 'VARCHAR', 'phone': 'VARCHAR',
    'test': 'VARCHAR', 'processedAt': 'VARCHAR', 'updatedAt': 'VARCHAR', 'cancelledAt': 'VARCHAR',
    'displayFinancialStatus': 'VARCHAR', 'sourceName': 'VARCHAR', 'cartToken': 'VARCHAR', 'checkoutToken': 'VARCHAR',
    'discountCodes': 'VARCHAR[]', 'customer': 'STRUCT(id VARCHAR)',
    'totalPriceSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR, currencyCode VARCHAR))',
    'totalDiscountsSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR, currencyCode VARCHAR))',
    'totalRefundedSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR, currencyCode VARCHAR))',
    'shippingAddress': 'STRUCT(countryCodeV2 VARCHAR, provinceCode VARCHAR)',
    'billingAddress': 'STRUCT(countryCodeV2 VARCHAR, provinceCode VARCHAR)',
    'sku': 'VARCHAR', 'vendor': 'VARCHAR', 'quantity': 'VARCHAR', 'currentQuantity': 'VARCHAR',
    'isGiftCard': 'VARCHAR', 'product': 'STRUCT(id VARCHAR, productType VARCHAR)',
    'originalUnitPriceSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR, currencyCode VARCHAR))',
    'totalDiscountSet': 'STRUCT(shopMoney STRUCT(amount VARCHAR, currencyCode VARCHAR))'})
