"""How the fields of products and collections are read."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub_shopify.stand_in.context import Arguments, Context, Field
from hub_shopify.stand_in.lists import SortKey
from hub_shopify.stand_in.paging import Page, sort
from hub_shopify.stand_in.records import Collection, Product, Variant
from hub_shopify.stand_in.selling import image_of, product_of

_NONE = Decimal(0)
_VARIANT_KEYS = {
    "POSITION": SortKey(lambda variant: variant.position, int),
    "ID": SortKey(lambda variant: variant.number, int),
    "SKU": SortKey(lambda variant: variant.sku or ""),
    "TITLE": SortKey(lambda variant: variant.title.lower()),
    "INVENTORY_QUANTITY": SortKey(lambda variant: variant.inventory_quantity, int),
}


def _collections(product: Product, context: Context, arguments: Arguments) -> Page:
    named = [found for number in product.collections if (found := context.shop.collections.get(number))]
    return context.page(context.list_of("Collection", arguments, named, "collections"), arguments)


def _members(collection: Collection, context: Context) -> list[Product]:
    return [product for product in context.shop.products.values() if collection.number in product.collections]


def _products(collection: Collection, context: Context, arguments: Arguments) -> Page:
    titles = arguments.get("sortKey") == "TITLE"
    key = SortKey(lambda product: product.title.lower()) if titles else SortKey(lambda product: product.number, int)
    found = sort(_members(collection, context), key, reverse=bool(arguments.get("reverse")))
    return context.page(found, arguments)


def _variants(product: Product, context: Context, arguments: Arguments) -> Page:
    key = _VARIANT_KEYS.get(arguments.get("sortKey", "POSITION"), _VARIANT_KEYS["POSITION"])
    return context.page(sort(product.variants, key, reverse=bool(arguments.get("reverse"))), arguments)


def _prices(product: Product, _context: Context, _arguments: Arguments) -> dict[str, Decimal]:
    prices = [variant.price for variant in product.variants]
    return {"minVariantPrice": min(prices, default=_NONE), "maxVariantPrice": max(prices, default=_NONE)}


def _compare_at(product: Product, _context: Context, _arguments: Arguments) -> dict[str, Decimal] | None:
    prices = [variant.compare_at_price for variant in product.variants if variant.compare_at_price is not None]
    if not prices:
        return None
    return {"minVariantCompareAtPrice": min(prices), "maxVariantCompareAtPrice": max(prices)}


def _media(product: Product, _context: Context, _arguments: Arguments) -> dict[str, Any] | None:
    image = image_of(product)
    if image is None:
        return None
    return {
        "typename": "MediaImage",
        "id": f"gid://shopify/MediaImage/{product.number}",
        "alt": product.title,
        "image": image,
        "mediaContentType": "IMAGE",
        "preview": {"image": image},
        "status": "READY",
    }


def _url(product: Product, context: Context, _arguments: Arguments) -> str | None:
    """Return the product's page; a product that is not on sale in the online store has none."""
    if product.status != "ACTIVE" or product.published_at is None:
        return None
    return f"https://{context.shop.about.domain}/products/{product.handle}"


def _preview_url(product: Product, context: Context, _arguments: Arguments) -> str:
    return f"https://{context.shop.about.domain}/products_preview?preview_key={product.number:x}"


def _description(product: Product, _context: Context, arguments: Arguments) -> str:
    longest = arguments.get("truncateAt")
    return product.description if longest is None else product.description[:longest]


def _count(number: int) -> dict[str, Any]:
    return {"count": number, "precision": "EXACT"}


def _display_name(variant: Variant, context: Context, arguments: Arguments) -> str:
    product = product_of(variant, context, arguments)
    return f"{product.title} - {variant.title}" if product else variant.title


FIELDS: Mapping[str, Field] = {
    "Collection.products": _products,
    "Collection.productsCount": lambda collection, context, _: _count(len(_members(collection, context))),
    "Product.collections": _collections,
    "Product.compareAtPriceRange": _compare_at,
    "Product.description": _description,
    "Product.featuredImage": lambda product, *_: image_of(product),
    "Product.featuredMedia": _media,
    "Product.onlineStorePreviewUrl": _preview_url,
    "Product.onlineStoreUrl": _url,
    "Product.priceRangeV2": _prices,
    "Product.variants": _variants,
    "Product.variantsCount": lambda product, *_: _count(len(product.variants)),
    "ProductVariant.displayName": _display_name,
    "ProductVariant.product": product_of,
}
