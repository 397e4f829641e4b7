"""The schema: generated SQL is current, migrations equal the tables, up and down keep data, indexes serve."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from gitu_core.errors import ConfigError, SchemaError, StoreError
from gitu_core.store import Store, migrate
from gitu_core.store.sql import Sql, compiled
from gitu_core.testing.invariants import open_messages
from scripts import compile_sql
from scripts.tables import METADATA
from tests.store.make import inbox, outgoing, said, step

pytestmark = pytest.mark.anyio

HEAD = migrate.head()

NEXT = '''"""One more revision, only for this test."""
from alembic import op
from sqlalchemy import Column, Text
revision, down_revision, branch_labels, depends_on = "9999", "HEAD", None, None
def upgrade():
    op.add_column("@people", Column("nick", Text(), nullable=True))
    op.execute("UPDATE \\"@people\\" SET nick = 'none'")
    op.create_index("~people_nick", "@people", ["nick"])
def downgrade():
    op.drop_index("~people_nick", "@people")
    op.drop_column("@people", "nick")
'''


def script(*statements: str) -> Callable[[], Any]:
    """A script of plain statements; gives the rows of the last."""

    def run() -> Any:
        rows = None
        for statement in statements:
            rows = yield statement, ()
        return rows

    return run


def test_the_generated_statements_are_what_sqlalchemy_compiles_now() -> None:
    assert compile_sql.TARGET.read_text(encoding="utf-8") == compile_sql.source()


CATALOG = {
    "sqlite": (
        'SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_master t'
        " JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name LIKE '{}'",
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name LIKE '{}'",
    ),
    "postgresql": (
        "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_name LIKE '{}'",
        "SELECT indexdef FROM pg_indexes WHERE tablename LIKE '{}'",
    ),
}


async def test_migrating_gives_exactly_the_tables(opened: Callable[..., Any]) -> None:
    store = await opened(prefix="made_")
    dialect = store.engine.dialect
    wanted = []
    for table in METADATA.sorted_tables:
        parts: list[Any] = [CreateTable(table), *(CreateIndex(index) for index in table.indexes)]
        texts = [str(part.compile(dialect=compile_sql.DIALECTS[dialect])) for part in parts]
        wanted += [Sql(dialect, "want_").fill(text) for text in texts]
    await store._script(script(*wanted))

    async def catalog(prefix: str) -> set[str]:
        rows = [row for query in CATALOG[dialect] for row in await store._script(script(query.format(f"{prefix}%")))]
        return {repr(tuple(row)).replace(prefix, "") for row in rows if "schema_version" not in repr(tuple(row))}

    made = await catalog("made_")
    assert made == await catalog("want_")
    assert len(made) > 100


async def test_the_way_down_and_up_again_works_with_data(opened: Callable[..., Any], tmp_path: Path) -> None:
    store = await opened(prefix="x_")
    person = await store.person_for(_account())
    receipt = await store.accept(inbox("k"))
    await store.write(step(0), outgoing("o"))
    extra = tmp_path / "versions"
    extra.mkdir()
    (extra / "v9999_next.py").write_text(NEXT.replace("HEAD", HEAD))
    sql = store.engine.sql
    assert migrate.head([extra]) == "9999"

    async def walk(start: str, target: str) -> None:
        ways = migrate.script(sql.dialect, start, target, [extra])
        await store._script(script(*ways))

    await walk(HEAD, "9999")
    assert (await store._script(script('SELECT nick FROM "@people"')))[0][0] == "none"
    with pytest.raises(SchemaError, match=f"9999.*{HEAD}"):
        await opened(prefix="x_")
    await walk("9999", "0001")
    with pytest.raises(StoreError):
        await store._script(script('SELECT epoch FROM "@workers"'))
    again = await opened(prefix="x_")
    assert (await again.person(person.id)).name == "Ana"
    assert await again.steps("t") == [step(0)]
    assert [id for id, _ in await open_messages(again)] == [receipt.id]
    assert await again.unsent() == [outgoing("o")]
    assert tuple((await again._script(script('SELECT channel FROM "@outbox"')))[0]) == ("",)
    await walk(HEAD, "base")
    fresh = await opened(prefix="x_")
    assert await fresh.steps("t") == []


def _account() -> Any:
    from tests.store.make import ANA

    return ANA


async def test_prefixes_and_schemas_keep_installations_apart(opened: Callable[..., Any], url: str) -> None:
    options: list[dict[str, Any]] = [{}, {"prefix": "a_"}, {"prefix": "b_"}]
    if url.startswith("postgresql"):
        options.append({"prefix": "a_", "schema": "own"})
    for option in options:
        store = await opened(**option)
        assert (await store.accept(inbox("k"))).fresh
        assert await store.check() == []
    with pytest.raises(ConfigError, match="identifier"):
        await opened(prefix="a-b")
    with pytest.raises(ConfigError):
        Sql("sqlite", "", "schema")


async def test_an_index_is_dropped_where_its_table_is() -> None:
    assert Sql("postgresql", "p_", "s").fill('DROP INDEX "~i"') == 'DROP INDEX "s"."p_i"'
    assert Sql("postgresql", "p_", "s").fill('CREATE INDEX "~i" ON "@t" (a)') == 'CREATE INDEX "p_i" ON "s"."p_t" (a)'


async def test_tables_of_the_host_with_the_same_name_are_left_alone(opened: Callable[..., Any]) -> None:
    store = await opened(prefix="x_")
    await store._script(script("CREATE TABLE sessions (a INTEGER)"))
    with pytest.raises(StoreError, match="exists"):
        await opened()
    assert await store._script(script("SELECT a FROM sessions")) == []


async def test_a_hosts_own_engine_is_used(tmp_path: Path) -> None:
    host = create_engine(f"sqlite:///{tmp_path / 'host.db'}")
    async with Store(engine=host, prefix="gitu_", home=tmp_path) as store:
        await store.accept(inbox("k"))
        await store.write(said(1))
        assert len(await store.history("s", 10)) == 1
    with host.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM gitu_inbox").scalar() == 1
    host.dispose()
    with pytest.raises(ConfigError, match="memory"):
        await Store(engine=create_engine("sqlite://")).open()
    with pytest.raises(ConfigError, match="no engine"):
        await Store("mysql://x").open()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_neither_a_new_nor_a_migrated_database_loads_sqlalchemy_or_alembic(tmp_path: Path, kind: str) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from gitu_core.store import Store\n"
        "heavy = {'sqlalchemy', 'alembic', 'cryptography', 'asyncpg'}\n"
        "store = Store(home=Path(sys.argv[1])); assert not heavy & set(sys.modules)\n"
        "async def main():\n"
        "    await store.open(); await store.session('x'); await store.close()\n"
        "asyncio.run(main()); print(sorted(heavy & set(sys.modules)))"
    )
    for expected in ("['cryptography']", "[]"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert done.stdout.strip() == expected, kind


async def test_every_query_is_served_by_an_index(store: Store) -> None:
    dialect = store.engine.dialect
    for name, text in compiled().statements[dialect].items():
        if text.startswith("INSERT"):
            continue
        plan = await _plan(store, text)
        if dialect == "sqlite":
            assert "SCAN" not in plan, (name, plan)
            assert "TEMP B-TREE" not in plan, (name, plan)
        else:
            assert "Seq Scan" not in plan, (name, plan)


async def _plan(store: Store, text: str) -> str:
    if store.engine.dialect == "sqlite":

        def explain(connection: Any) -> str:
            count = text.count("?")
            rows = connection.execute("EXPLAIN QUERY PLAN " + Sql("sqlite").fill(text), [0] * count)
            return " ".join(str(row[3]) for row in rows)

        found: str = await store.engine.raw(explain)  # type: ignore[attr-defined]
        return found
    async with store.engine.connection() as connection:  # type: ignore[attr-defined]
        await connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE q AS {Sql('postgresql').fill(text)}")
        count = max((n for n in range(1, 20) if f"${n}" in text), default=0)
        arguments = f"({', '.join(['NULL'] * count)})" if count else ""
        rows = await connection.fetch(f"EXPLAIN EXECUTE q{arguments}")
        await connection.execute("DEALLOCATE q; RESET ALL")
        return " ".join(row[0] for row in rows)
