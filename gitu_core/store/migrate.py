"""Migrations as SQL: Alembic knows the way from one revision to another, the store walks it.

This module imports Alembic and SQLAlchemy; it is loaded only when a database has to be migrated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO, cast

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent / "migrations"
VERSION_TABLE = "@schema_version"
BASE = "base"
"""The revision of an empty database."""


def directory(extra: Iterable[Path] = ()) -> ScriptDirectory:
    """The migrations; *extra* folders add more, for tests of the way itself."""
    places = [str(FOLDER / "versions"), *(str(path) for path in extra)]
    return ScriptDirectory(str(FOLDER), version_locations=places)


def head(extra: Iterable[Path] = ()) -> str:
    """The newest revision."""
    return directory(extra).get_current_head() or BASE


def known(revision: str, extra: Iterable[Path] = ()) -> bool:
    """True if this program has a migration of that name."""
    return revision in {script.revision for script in directory(extra).walk_revisions()}


def script(dialect: str, start: str = BASE, target: str = "head", extra: Sequence[Path] = ()) -> list[str]:
    """The statements that take a database from *start* to *target*, up or down, marks unfilled.

    *dialect* is ``sqlite`` or ``postgresql``. The last statements record the new revision.
    """
    scripts = directory(extra)
    order = [found.revision for found in scripts.walk_revisions()][::-1]
    goal = (order[-1] if order else BASE) if target == "head" else target
    position = {BASE: -1, **{revision: n for n, revision in enumerate(order)}}
    if position[goal] == position[start]:
        return []
    up = position[goal] > position[start]

    def route(_heads: Any, _context: Any) -> Any:
        walk = scripts._upgrade_revs if up else scripts._downgrade_revs
        return walk(goal, cast(str, None if start == BASE else start))

    written: list[str] = []
    buffer = SimpleNamespace(write=written.append, flush=lambda: None)  # Alembic writes a statement a call
    environment = EnvironmentContext(
        Config(), scripts, fn=route, as_sql=True, starting_rev=None if start == BASE else start, destination_rev=goal
    )
    with environment:
        environment.configure(
            dialect_name=dialect, output_buffer=cast(TextIO, buffer), version_table=VERSION_TABLE,
            # A primary key there would carry a name made of the table's, which no mark can reach.
            version_table_pk=False, transactional_ddl=False,
        )  # fmt: skip
        environment.run_migrations()
    statements = [text.strip().removesuffix(";").rstrip() for text in written]
    statements = [text for text in statements if text and not text.startswith("--")]
    return [*statements, f'DROP TABLE "{VERSION_TABLE}"'] if goal == BASE else statements
