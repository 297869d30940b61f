"""Read ``hub.toml``."""

from __future__ import annotations

from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

import hub
from hub.config.environment import Environment
from hub.config.locate import WORKSPACE_FILE
from hub.config.models import WorkspaceModel
from hub.config.problems import Problems, Where, read_file
from hub.config.settings import Workspace
from hub.config.validate import validate

INHERITED = ("sources", "segments", "destinations", "consent", "guards")
"""The tables of ``hub.toml`` that every client inherits."""

PRIORITY = "priority"
"""The list that a client inherits where it has none of its own."""

_NEXT_STEP = "Correct the lines named, then run it again."


def load_workspace(folder: Path) -> Workspace:
    """Read the workspace's own settings; what clients inherit is checked with each client.

    Raises:
        ConfigFileError: ``hub.toml`` is wrong, or needs another version of hub.
    """
    problems = Problems()
    shared = read_file(folder / WORKSPACE_FILE, WORKSPACE_FILE)
    where = Where((shared,))
    own = {key: value for key, value in shared.data.items() if key not in (*INHERITED, PRIORITY)}
    if "syncs" in own:
        problems.add(where.below("syncs"), "syncs belong to one client; move them to its file in clients/")
        del own["syncs"]
    for section in INHERITED:
        if not isinstance(shared.data.get(section, {}), dict):
            problems.add(where.below(section), f"should be a table; write [{section}]")
    model = validate(WorkspaceModel, own, where, problems, also_known=(*INHERITED, PRIORITY))
    if isinstance(own.get("requires"), str):
        _check_version(own["requires"], where.below("requires"), problems)
    problems.raise_any(next_step=_NEXT_STEP)
    settings = model or WorkspaceModel()
    environment = Environment()
    named = environment.secrets_dir or (Path(settings.secrets_dir) if settings.secrets_dir else None)
    return Workspace(
        folder=folder,
        shared=shared,
        secrets_dir=(folder / named.expanduser()) if named else None,
        memory_limit=environment.memory_limit or settings.memory_limit,
        requires=settings.requires,
    )


def _check_version(requires: str, where: Where, problems: Problems) -> None:
    try:
        met = SpecifierSet(requires).contains(hub.__version__, prereleases=True)
    except InvalidSpecifier:
        problems.add(where, f"{requires!r} is not a version requirement; write one such as >=0.1")
        return
    if not met:
        problems.add(
            where, f"needs hub {requires}, this is {hub.__version__}; upgrade with `pipx upgrade audience-hub`"
        )
