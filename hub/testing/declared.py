"""What every plugin declares, whatever its kind."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest

from hub.api import Config
from hub.config.validate import is_secret, model_in
from hub.plugins.contract import contract_problems
from hub.testing.gaps import Conformance, require

_SOUNDS_SECRET = re.compile(r"(^|_)(password|passphrase|secret|token|credential|private_key|api_key|access_key)s?$")


class DeclaredConformance(Conformance):
    """Check the header of a plugin's class."""

    kind: ClassVar[str]
    plugin: ClassVar[type[Any]]

    def test_the_class_keeps_the_contract(self) -> None:
        problems = contract_problems(self.kind, self.plugin)
        require(not problems, "; ".join(problems))

    def test_the_class_says_what_it_is_for(self) -> None:
        require((self.plugin.__doc__ or "").strip(), f"{self.plugin.__name__} has no docstring for `hub plugins info`")

    def test_every_setting_is_described(self) -> None:
        silent = [name for name, field in _settings(self.plugin.Config) if not (field.description or "").strip()]
        require(not silent, f"no description: {', '.join(silent)}")

    def test_secrets_are_typed_as_secrets(self) -> None:
        open_ones = [
            name
            for name, field in _settings(self.plugin.Config)
            if _SOUNDS_SECRET.search(name) and not is_secret(field.annotation)
        ]
        require(not open_ones, f"not typed api.Secret: {', '.join(open_ones)}")

    def test_no_secret_has_a_default(self) -> None:
        given = [
            name
            for name, field in _settings(self.plugin.Config)
            if is_secret(field.annotation) and not field.is_required() and field.get_default() is not None
        ]
        require(not given, f"a secret has a default: {', '.join(given)}")

    def test_unknown_settings_are_errors(self) -> None:
        with pytest.raises(ValueError, match="Extra inputs"):
            self.plugin.Config.model_validate({"no_such_setting_of_this_plugin": 1})


def _settings(model: type[Config], prefix: str = "") -> list[tuple[str, Any]]:
    """Return every setting, those inside lists and tables too."""
    found: list[tuple[str, Any]] = []
    for name, field in model.model_fields.items():
        found.append((prefix + name, field))
        inner = model_in(field.annotation)
        if inner is not None:
            found += _settings(inner, f"{prefix}{name}.")  # type: ignore[arg-type]  # settings inside settings
    return found
