"""What can be changed through the API: tags, and bulk operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_shopify.stand_in.access import denied
from hub_shopify.stand_in.bulk import Operation
from hub_shopify.stand_in.context import Arguments, Context, Field
from hub_shopify.stand_in.roots import find

_TAGGED = {"Customer": "write_customers", "Order": "write_orders", "Product": "write_products"}
_MOST_TAGS = 250  # "Shopify API limits": an input array has at most this many
_LONGEST_TAG = 255


def _tags(field: str) -> Field:
    def answer(_root: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
        record = find(context, arguments["id"])
        if record is None or record.typename not in _TAGGED:
            return _refused(["id"], "invalid id")
        if _TAGGED[record.typename] not in context.scopes:
            raise denied(field, [_TAGGED[record.typename]])
        tags = [tag.strip() for text in arguments["tags"] for tag in text.split(",") if tag.strip()]
        wrong = _wrong_with(tags)
        if wrong:
            return _refused(["tags"], wrong)
        change = context.shop.add_tags if field == "tagsAdd" else context.shop.remove_tags
        change(record, tags)
        return {"node": record, "userErrors": []}

    return answer


def _wrong_with(tags: list[str]) -> str | None:
    if len(tags) > _MOST_TAGS:
        return f"The input array size of {len(tags)} is greater than the maximum allowed of {_MOST_TAGS}."
    if any(len(tag) > _LONGEST_TAG for tag in tags):
        return f"Each tag must be at most {_LONGEST_TAG} characters"
    return None


def _refused(field: list[str], message: str) -> dict[str, Any]:
    return {"node": None, "userErrors": [{"typename": "UserError", "field": field, "message": message}]}


def _run(_root: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    operation, errors = context.bulk.run(arguments["query"], context, grouped=arguments["groupObjects"])
    return {
        "bulkOperation": operation,
        "userErrors": [
            {
                "typename": "BulkOperationUserError",
                "field": ["query"] if code == "INVALID" else None,
                "message": message,
                "code": code,
            }
            for code, message in errors
        ],
    }


def _cancel(_root: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    operation = context.bulk.cancel(arguments["id"])
    if operation is None:
        message = "Bulk operation does not exist"
    elif operation.ended:
        message = f"A bulk operation cannot be canceled when it is {operation.status.lower()}"
    else:
        return {"bulkOperation": operation, "userErrors": []}
    return {"bulkOperation": operation, "userErrors": [{"typename": "UserError", "field": ["id"], "message": message}]}


def _file(name: str) -> Field:
    def answer(operation: Operation, context: Context, _arguments: Arguments) -> str | None:
        path = getattr(operation, name)
        return f"{context.address}{path}" if path else None

    return answer


FIELDS: Mapping[str, Field] = {
    "BulkOperation.partialDataUrl": _file("partial_path"),
    "BulkOperation.url": _file("path"),
    "Mutation.bulkOperationCancel": _cancel,
    "Mutation.bulkOperationRunQuery": _run,
    "Mutation.tagsAdd": _tags("tagsAdd"),
    "Mutation.tagsRemove": _tags("tagsRemove"),
}
