"""What a worker has from its host beside what every worker has."""

from __future__ import annotations

import sys

import pytest

from tests.isolation.conftest import Open, plugin
from tests.registry.conftest import Site

pytestmark = pytest.mark.anyio


async def test_only_a_release_that_was_made_here_borrows_more_of_its_host(site: Site, opened: Open) -> None:
    """What `runtime` of its ``release.json`` names, with what that lists in its ``runtime.txt``; nothing else."""
    plugin(site, "curious", """
try:
    import lender
except ImportError as error:
    return "nothing is lent"
import lent_too
return f"{lender.__name__} {lent_too.__name__}"
""")  # fmt: skip
    elsewhere = Site(site.folder.parent / "elsewhere")
    for name in ("lender", "lent_too", "kept"):
        (elsewhere.folder / name).mkdir()
        (elsewhere.folder / name / "__init__.py").write_text("")
    (elsewhere.folder / "lender/runtime.txt").write_text("lender lent_too\n")
    sys.path.append(str(elsewhere.folder))
    try:
        async with opened("curious") as house:
            assert "nothing is lent" in str(await house.ask("curious"))
        for text in (
            "{",
            "[]",
            '{"runtime": "no_such_module"}',
            '{"runtime": "kept"}',
            '{"runtime": ""}',
            '{"runtime": 3}',
            '{"runtime": "a.b"}',
        ):
            (site.folder / "release.json").write_text(text)
            async with opened("curious") as house:
                assert "nothing is lent" in str(await house.ask("curious")), text
        (site.folder / "release.json").write_text('{"runtime": "lender"}')
        async with opened("curious") as house:
            assert "lender lent_too" in str(await house.ask("curious"))
    finally:
        sys.path.remove(str(elsewhere.folder))
