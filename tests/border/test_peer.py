"""Calls, streams, cancellation, lifetimes and lost connections between two peers."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import pytest

from gitu_core.border.peer import Peer
from gitu_core.contracts import Claim, Context, Dispatcher, Host, MemoryStore, Tool, ToolCall, ToolResult, seam_of
from gitu_core.errors import (
    BorderError,
    Cancelled,
    FacetUnavailable,
    GituError,
    HookError,
    InputError,
    NotReady,
    ToolError,
    Unknown,
)
from gitu_core.testing.loopback import loopback, memory_transports, peers
from gitu_core.tools import ToolContext
from tests.border import toys

pytestmark = pytest.mark.anyio


class Odd(Protocol):
    """Whatever a test wants to do on the other side."""

    async def do(self, what: str = "nothing", context: Context | None = None) -> Any: ...

    def count(self, upto: int) -> AsyncIterator[int]: ...

    async def make(self) -> Tool: ...

    async def back(self, tool: Tool) -> Tool: ...


class MyError(ToolError):
    """A class that only one side knows."""

    code = "mine"

    def __init__(self, number: int) -> None:
        super().__init__(f"number {number}", hint="none", thing=object(), number=number)


class Doer:
    """Fulfils `Odd` with what the tests hand over."""

    def __init__(self, **doing: Any) -> None:
        self.doing = doing
        self.made = 0
        self.finals = 0
        self.context: Context | None = None

    def do(self, what: str = "nothing", context: Context | None = None) -> Any:
        self.context = context
        return self.doing[what]() if what in self.doing else what

    async def count(self, upto: int) -> AsyncIterator[int]:
        try:
            for number in range(upto):
                self.made += 1
                yield number
        finally:
            await anyio.lowlevel.checkpoint()
            self.finals += 1

    async def make(self) -> Tool:
        return toys.ToyTool()  # type: ignore[return-value]

    async def back(self, tool: Tool) -> Tool:
        return tool


def fail(error: BaseException) -> Any:
    """A function that raises *error*."""

    def raising() -> None:
        raise error

    return raising


async def test_a_slow_consumer_holds_the_producer_back() -> None:
    """At every moment the producer has made at most the window more than was taken."""
    doer = Doer()
    async with loopback(doer, Odd, window=4) as remote:
        taken = 0
        async with aclosing(remote.count(20)) as stream:  # type: ignore[type-var]
            async for number in stream:
                assert number == taken
                await anyio.wait_all_tasks_blocked()
                taken += 1
                assert doer.made <= taken + 4
        assert (taken, doer.made, doer.finals) == (20, 20, 1)


async def test_a_stream_that_is_dropped_unread_stops_its_producer() -> None:
    """A `break` out of `async for` is enough: the event loop closes the iterator."""
    doer = Doer()
    async with peers(doer, Odd, window=4) as (here, there):
        async for _ in here.remote(Odd).count(10**9):
            break
        gc.collect()
        with anyio.fail_after(2):
            while toys.open_calls(there) != (0, 0) or toys.open_calls(here) != (0, 0):  # noqa: ASYNC110 - the event loop closes it
                await anyio.sleep(0.001)
        assert doer.finals == 1
        assert doer.made < 10


async def test_implementations_may_be_plain_functions_and_defaults_stay_theirs() -> None:
    """`def` or `async def`; an argument that was left out is left out on the other side too."""
    async with loopback(Doer(), Odd) as remote:
        assert await remote.do() == "nothing"
        assert await remote.do("this") == "this"
        assert await remote.do(what="that", context=None) == "that"
        with pytest.raises(TypeError):
            await remote.do("a", None, 1)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await remote.do(nonsense=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("raised", "seen", "words"),
    [
        (ValueError("bad \ud800 \x00"), HookError, "ValueError: bad"),
        (SystemExit(3), HookError, "SystemExit: 3"),
        (ExceptionGroup("two", [OSError("a")]), HookError, "ExceptionGroup: two"),
        (InputError("no", hint="h", field="f"), InputError, "no"),
        (HookError("x" * 1_000_000), HookError, "xxx"),
        (RecursionError(), HookError, "RecursionError"),
        (StopAsyncIteration(), HookError, "StopAsyncIteration"),
        (InputError("no", big=["x" * 900] * 1000), InputError, "no"),
    ],
)
async def test_whatever_is_raised_arrives_as_one_typed_error(raised: BaseException, seen: type, words: str) -> None:
    """And the connection goes on."""
    async with loopback(Doer(bad=fail(raised)), Odd) as remote:
        with pytest.raises(seen, match=words) as caught:
            await remote.do("bad")
        assert len(str(caught.value)) < 11_000
        assert caught.value.__cause__ is None
        assert await remote.do("on") == "on"


async def test_an_error_class_that_is_not_ours_becomes_its_nearest_base() -> None:
    """Its code stays readable, its constructor is not called, details that cannot cross become text."""
    async with loopback(Doer(bad=lambda: fail(MyError(7))()), Odd) as remote:
        with pytest.raises(ToolError, match="number 7") as base:
            await remote.do("bad")
        assert (type(base.value), base.value.details["code"]) == (ToolError, "mine")
        assert base.value.details["number"] == 7
        assert str(base.value.details["thing"]).startswith("<object object")


async def test_a_result_that_cannot_cross_is_an_error_of_that_call_only() -> None:
    """Raw bytes, objects, too much: the caller reads what and where."""
    doing = {"bytes": lambda: [b"x"], "object": lambda: Doer(), "large": lambda: "x" * 5000}
    async with loopback(Doer(**doing), Odd, limit=4000) as remote:
        for what, words in (
            ("bytes", r"raw bytes at \$\[0\]"),
            ("object", "object of type Doer"),
            ("large", "5002 bytes"),
        ):
            with pytest.raises(BorderError, match=words):
                await remote.do(what)
        with pytest.raises(BorderError, match="bytes are more"):
            await remote.do("x" * 5000)
        assert await remote.do("on") == "on"


async def test_an_implementation_that_cancels_itself_does_not_look_cancelled() -> None:
    """The caller gets an error and stays uncancelled."""
    async with loopback(Doer(bad=fail(anyio.get_cancelled_exc_class()())), Odd) as remote:
        with pytest.raises(Cancelled):
            await remote.do("bad")
        assert await remote.do("on") == "on"


@pytest.mark.parametrize("steps", range(12))
async def test_a_call_can_be_cancelled_at_every_await(steps: int) -> None:
    """However far it got: no call stays open on either side, nothing stays exported, the connection goes
    on."""
    own = toys.ToyTool()
    async with peers(own, Tool) as (here, there):
        tool = here.remote(Tool)
        before = toys.exported(here)
        async with anyio.create_task_group() as group:
            group.start_soon(tool.run, ToolCall("c", "toy", {"wait": True}), toys.ToyContext())
            for _ in range(steps):
                await anyio.lowlevel.cancel_shielded_checkpoint()
            group.cancel_scope.cancel()
        assert own.ended == own.cancelled.is_set()
        assert (await tool.run(toys.CALL, toys.ToyContext())).content == toys.CALL.arguments
        await anyio.wait_all_tasks_blocked()
        assert (toys.open_calls(here), toys.open_calls(there), toys.exported(here)) == ((0, 0), (0, 0), before)


async def test_a_cancelled_call_is_given_up_when_the_other_side_does_not_end_it() -> None:
    """The grace bounds the wait."""

    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.3)

    async with loopback(Doer(bad=stubborn), Odd, grace=0.05) as remote:
        begun = anyio.current_time()
        with anyio.move_on_after(0.02):
            await remote.do("bad")
        assert anyio.current_time() - begun < 0.25


async def test_a_thousand_calls_at_once_each_get_their_own_answer() -> None:
    """Nothing is mixed up, and nothing remains."""
    results: dict[int, Any] = {}
    async with peers(Doer(), Odd) as (here, there):
        remote = here.remote(Odd)

        async def one(number: int) -> None:
            results[number] = await remote.do(str(number))

        async with anyio.create_task_group() as group:
            for number in range(1000):
                group.start_soon(one, number)
        assert results == {number: str(number) for number in range(1000)}
        assert (toys.open_calls(here), toys.open_calls(there)) == ((0, 0), (0, 0))


async def test_too_many_calls_at_once_are_turned_away() -> None:
    """The error says that it can be tried again."""
    doer = Doer(wait=anyio.sleep_forever)
    async with loopback(doer, Odd, max_calls=2) as remote, anyio.create_task_group() as group:
        group.start_soon(remote.do, "wait")
        group.start_soon(remote.do, "wait")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(NotReady, match="2 calls"):
            await remote.do("more")
        group.cancel_scope.cancel()


async def test_a_large_backlog_waits_instead_of_piling_up() -> None:
    """Sixty megabytes in flight over a connection that holds eight chunks all arrive."""
    sizes: list[int] = []
    async with loopback(Doer(large=lambda: "x" * 1_000_000), Odd) as remote:

        async def one() -> None:
            sizes.append(len(await remote.do("large")))

        async with anyio.create_task_group() as group:
            for _ in range(60):
                group.start_soon(one)
    assert sizes == [1_000_000] * 60


async def test_what_a_call_hands_over_is_gone_when_the_call_has_ended() -> None:
    """Using it later is a typed error, not somebody else's object."""
    doer = Doer()
    async with peers(doer, Odd) as (here, _):
        before = toys.exported(here)
        await here.remote(Odd).do("x", toys.ToyContext())
        assert toys.exported(here) == before
        assert doer.context is not None
        with pytest.raises(BorderError, match="has ended"):
            await doer.context.progress("late")


async def test_a_kept_object_outlives_the_call_and_stays_one_object() -> None:
    """`keep` is for a host that a plugin holds on to."""
    doer, context = Doer(), toys.ToyContext()
    async with peers(doer, Odd) as (here, _):
        toys.keep(here, context, Context)
        remote = here.remote(Odd)
        await remote.do("x", context)
        first = doer.context
        await remote.do("x", context)
        assert first is doer.context is not None
        await doer.context.progress("late")
        assert context.said == [("late", None)]


async def test_an_object_that_comes_home_is_itself_again() -> None:
    """In both directions, without a proxy around a proxy; released objects are gone."""
    async with peers(Doer(), Odd) as (here, there):
        remote = here.remote(Odd)
        mine = toys.ToyTool()
        assert await remote.back(mine) is mine
        made = await remote.make()
        exported = toys.exported(there)
        assert await remote.back(made) is made
        here.release(made)
        with pytest.raises(BorderError, match="no object"):
            await made.run(toys.CALL, toys.ToyContext())
        assert toys.exported(there) == exported - 1
        with pytest.raises(BorderError, match="did not come over"):
            here.release(mine)


async def test_what_stays_in_the_host_is_missing_on_the_other_side() -> None:
    """`deps` of a context: no value, a clear text, and `ToolContext` simply has none."""
    doer = Doer()
    async with peers(doer, Odd) as (here, _):
        toys.keep(here, context := toys.ToyContext(), Context)
        await here.remote(Odd).do("x", context)
        assert doer.context is not None
        with pytest.raises(AttributeError, match="stays in the host"):
            _ = doer.context.deps
        assert not hasattr(doer.context, "nonsense")
        assert ToolContext[Any](doer.context).deps is None
        assert "call" in repr(doer.context)


async def test_a_facet_that_the_host_object_lacks_is_unavailable() -> None:
    """Not an AttributeError: the plugin reads what to do."""

    class Bare:
        plugin = "p"
        config: dict[str, Any] = {}  # noqa: RUF012 - only read

    async with loopback(Bare(), Host) as host:
        with pytest.raises(FacetUnavailable, match="kv"):
            _ = host.kv  # type: ignore[attr-defined]


async def test_a_contract_of_the_host_does_not_cross() -> None:
    """The dispatcher can only be fulfilled inside; a method without a form is refused as well."""
    seam = seam_of(Dispatcher)
    assert seam is not None
    assert not seam.crosses

    class Sync(Protocol):
        def get(self) -> int: ...

    for protocol in (Dispatcher, Sync):
        with pytest.raises(BorderError, match=r"inside the host|neither"):
            async with loopback(object(), protocol) as remote:
                await remote.get()  # type: ignore[attr-defined]


async def test_a_lost_connection_makes_sent_calls_unknown_and_later_ones_not_ready() -> None:
    """What may have happened is told apart from what certainly did not; handlers over there are cancelled."""
    own = toys.ToyTool()
    near, far = memory_transports()
    async with anyio.create_task_group() as group, AsyncExitStack() as stack:

        async def serve() -> None:
            async with Peer(far, offer=own, protocol=Tool) as there:
                await there.closed.wait()

        group.start_soon(serve)
        here = await stack.enter_async_context(Peer(near))
        tool = here.remote(Tool)
        failed: list[BaseException] = []

        async def call() -> None:
            try:
                await tool.run(ToolCall("c", "toy", {"wait": True}), toys.ToyContext())
            except GituError as error:
                failed.append(error)

        group.start_soon(call)
        await own.started.wait()
        await anyio.wait_all_tasks_blocked()
        await far.aclose()
        with anyio.fail_after(2):
            await here.closed.wait()
            await own.cancelled.wait()
        await anyio.wait_all_tasks_blocked()
        assert [type(error) for error in failed] == [Unknown]
        with pytest.raises(NotReady, match="nothing was sent"):
            await tool.run(toys.CALL, toys.ToyContext())
        assert isinstance(here.reason, NotReady)


async def test_nobody_at_the_other_end_is_not_ready() -> None:
    """Entering waits no longer than its patience."""
    near, _ = memory_transports()
    with pytest.raises(NotReady, match="said nothing"):
        async with Peer(near, patience=0.02):
            pytest.fail("nobody answered")


async def test_the_body_of_a_connection_raises_its_own_error() -> None:
    """Not an exception group."""
    with pytest.raises(ZeroDivisionError):
        async with loopback(toys.ToyMemory(), MemoryStore):
            raise ZeroDivisionError


async def test_a_stream_that_fails_half_way_gives_what_came_before() -> None:
    """And an item that cannot cross is such a failure."""

    class Half(toys.ToyMemory):
        async def export(self, person: str) -> AsyncIterator[Claim]:
            yield Claim("1", person, "x")
            yield "not a claim"  # type: ignore[misc]

        async def get(self, ids: Sequence[str]) -> Sequence[Claim]:
            return ToolResult()  # type: ignore[return-value]

    async with loopback(Half(), MemoryStore) as memory:
        got = []
        with pytest.raises(BorderError, match=r"Claim|object"):  # noqa: PT012 - what came before it counts
            async for claim in memory.export("ann"):
                got.append(claim)
        assert len(got) == 1
        with pytest.raises(BorderError):
            await memory.get(["a"])
