"""What all kits share: the object seen twice, the other side, hostile text, and how often values are tried."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gitu_core.testing.borders import Across

HOSTILE = (
    "", " ", "\n\t\r\n ", "nul \x00 inside", "\x1b[2J\x1b]0;title\x07 bell \x08\x7f", "\x85\x9b31m C1",
    "\u202eright to left\u202c and \u2066isolated\u2069", "zero\u200bwidth\u200d\ufeff\u2060joined", "\u0301 alone",
    "e" + "\u0301" * 300, "👩\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 🇬🇷", "日本語 العربية עברית हिन्दी",
    "*_`~[x](y){z}<t>#+-=|.!\\ ```\n> ~~*", "**bold _and `never closed", "<b>&amp;</b><script>x</script>]]>",
    "'; DROP TABLE claims; --", "%s {0} {x!r} ${HOME} $(id) %n", "line\u2028and\u2029paragraph\x0b\x0c", "/stop",
    "\ufffe\uffff\U0010ffff", "x" * 50_000, "word " * 5_000, "NEAR(a b) OR \"c AND *",
)  # fmt: skip
"""Texts that break things: controls, directions, nothing visible, marks without letters, markup, huge ones."""


class _Long(str):
    """A long text that a failed test does not print in full."""

    def __repr__(self) -> str:
        return f"{str.__repr__(self[:40])} … {len(self)} characters"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Any text that can travel."""

OFTEN = 20
"""How many values each law about values is tried with, besides `HOSTILE`."""

PATIENCE = 5.0
"""Seconds within which something that must happen has to happen."""

SETTLED = 0.02
"""Seconds after which what was not to happen did not happen."""

_KIT = settings(
    max_examples=OFTEN, deadline=None, database=None, derandomize=True, print_blob=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
)  # fmt: skip


def tried(**strategies: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A law about values: its test is run with many of them. An argument ``text`` gets all of `HOSTILE` as well."""

    def decorate(test: Any) -> Any:
        @functools.wraps(test)
        async def plain(*args: Any, **values: Any) -> None:
            await test(*args, **{key: str(each) if key == "text" else each for key, each in values.items()})

        hypothetical = given(**strategies)(plain)
        for each in HOSTILE if [*strategies] == ["text"] else ():
            hypothetical = example(text=_Long(each) if len(each) > 400 else each)(hypothetical)
        return _KIT(hypothetical)

    return decorate


@pytest.mark.anyio
class Laws:
    """The base of all kits."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The event loop of the tests; override it to use another one."""
        return "asyncio"

    @pytest.fixture
    def remote(self) -> Any:
        """What is known of the other side; see the kit for what it may offer. Nothing unless overridden."""
        return None

    @pytest.fixture(params=["direct", "loopback"])
    async def across(self, request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Across]:
        """Hands the object over as it is, and a second time through the process border."""
        async with AsyncExitStack() as stack:
            yield Across(request.param == "loopback", stack)


def needs(remote: Any, *methods: str) -> None:
    """Skips a test that needs to see or steer the other side, where the author gives no way to."""
    for method in methods:
        if getattr(remote, method, None) is None:
            pytest.skip(f"not tested: give the fixture `remote` an object with the method {method}()")


async def of(answer: Any) -> Any:
    """What a method of a remote gave, which may be ``def`` or ``async def``."""
    return await answer if inspect.isawaitable(answer) else answer


async def until(true: Callable[[], Any], what: str) -> None:
    """Waits until *true* gives something true; fails with *what* should have happened."""
    with anyio.move_on_after(PATIENCE):
        while not await of(true()):  # noqa: ASYNC110 - what is waited for tells nobody
            await anyio.sleep(0.002)
        return
    raise AssertionError(f"within {PATIENCE:g} seconds this did not happen: {what}")


def visible(text: str) -> list[str]:
    """The words of *text* that have letters or digits of the basic kind, which no channel has a reason to change."""
    plain = "".join(char if char.isascii() and char.isalnum() else " " for char in text)
    return plain.split()
