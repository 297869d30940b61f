"""Hold data against a settings model and say every problem in a user's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hub.config.problems import Key, Problems, Where, suggest

ModelT = TypeVar("ModelT", bound=BaseModel)
_SHOWN = 60


def validate(
    model: type[ModelT],
    data: Mapping[str, Any],
    where: Where,
    problems: Problems,
    *,
    also_known: Iterable[str] = (),
) -> ModelT | None:
    """Return the model's instance, or record every problem and return None."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        said: set[tuple[Key, ...]] = set()
        for detail in error.errors(include_url=False, include_context=False):
            path = _path_in(data, detail)
            if path not in said:
                said.add(path)
                problems.add(where.below(*path), _explain(model, path, detail, also_known))
    return None


def setting_names(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by the key that users write."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def is_secret(annotation: Any) -> bool:
    """Tell whether a field's type is a secret, possibly optional."""
    return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the settings that a type holds: itself, or inside a list, a table or an optional."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (model_in(part) for part in get_args(annotation))
    return next((inner for inner in found if inner), None)


def _explain(model: type[BaseModel], path: tuple[Key, ...], detail: ErrorDetails, also_known: Iterable[str]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        inner = _model_at(model, path[:-1])
        known = [*setting_names(inner), *(also_known if len(path) == 1 else ())] if inner else []
        return f"unknown key; {suggest(str(path[-1]), known)}"
    field = _field_at(model, path)
    if kind == "missing":
        description = f": {field.description}" if field and field.description else ""
        return f"is missing{description}"
    message = detail["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
    if kind == "value_error" or (field and is_secret(field.annotation)):
        return message
    return f"{message}{_got(detail['input'])}{_hint(kind, field)}"


def _got(value: Any) -> str:
    if isinstance(value, BaseModel | dict | list | tuple):
        return ""
    text = repr(value)
    return f", not {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"


def _hint(kind: str, field: FieldInfo | None) -> str:
    """Say what would be right where pydantic's words do not."""
    return f" ({field.description})" if kind == "string_pattern_mismatch" and field and field.description else ""


def _path_in(data: Any, detail: ErrorDetails) -> tuple[Key, ...]:
    """Return the part of an error's location that users wrote; pydantic adds the branches of unions."""
    path: list[Key] = []
    for key in detail["loc"]:
        if _holds(data, key):
            data = data[key]
            path.append(key)
        elif detail["type"] == "missing" and key == detail["loc"][-1]:
            path.append(key)
    return tuple(path)


def _holds(data: Any, key: Key) -> bool:
    if isinstance(data, list | tuple):
        return isinstance(key, int) and key < len(data)
    return isinstance(data, Mapping) and key in data


def _field_at(model: type[BaseModel], path: tuple[Key, ...]) -> FieldInfo | None:
    names = [index for index, key in enumerate(path) if isinstance(key, str)]
    if not names:
        return None
    inner = _model_at(model, path[: names[-1]])
    return setting_names(inner).get(str(path[names[-1]])) if inner else None


def _model_at(model: type[BaseModel] | None, path: tuple[Key, ...]) -> type[BaseModel] | None:
    for key in path:
        if model is None:
            return None
        if isinstance(key, str):
            field = setting_names(model).get(key)
            model = model_in(field.annotation) if field else None
    return model
