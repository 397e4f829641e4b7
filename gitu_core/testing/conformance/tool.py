"""The kits for tools and for actions of rules: the laws T1 to T7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import anyio
import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.contracts import Tool
from gitu_core.errors import GituError
from gitu_core.model import Conversation, ToolCall, ToolResult
from gitu_core.testing.borders import Across
from gitu_core.testing.conformance.base import _KIT, PATIENCE, Laws, needs, of
from gitu_core.testing.conformance.called import Call, covers, leaves, new_key, serial, state
from gitu_core.testing.conformance.cancel import cuts
from gitu_core.testing.conformance.schema import example_of, values_of
from gitu_core.testing.conformance.watch import nothing_left
from gitu_core.testing.crash import crash_test

_WRITERS = ("outside", "principal", "system")


class ToolLaws(Laws):
    """A tool keeps the laws T1 to T7. Give the fixture `tool`.

    `arguments` gives those of a call that works; override it where its schema does not say enough. The fixture
    `remote`, optional, gives the other side, which the tool reads or changes, and which may

        state() -> Any       be looked at: any value that is another one when something was changed
        plant(text)          hold *text*, written by somebody else, so that the next call gives it back

    `conversation`, optional, is where its calls come from: for a tool that carries out what messages bring.

    With `crash`, the arguments of `crash_test` (``{"tools": "package:function", "model": "package:function"}``),
    processes die under it too.
    """

    protocol: Any = Tool
    person = "ana"
    conversation: Conversation | None = None
    crash: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def tool(self) -> Any:
        """The tool under test; its author gives it."""
        raise NotImplementedError("give a fixture `tool`")

    @pytest.fixture
    def own(self, tool: Any) -> Any:
        """The object itself, whatever it is called."""
        return tool

    @pytest.fixture
    async def subject(self, own: Any, across: Across) -> Any:
        """The tool, or what is seen of it through the border."""
        return await across(own, self.protocol)

    def arguments(self, spec: Any, number: int) -> dict[str, Any]:
        """The arguments of the *number*-th call that works. By default the plainest that fit the schema."""
        return dict(example_of(spec.input_schema))

    async def called(self, subject: Any, number: int, key: str, arguments: dict[str, Any] | None = None) -> ToolResult:
        """Calls it as the host does."""
        given = self.arguments(subject.spec, number) if arguments is None else arguments
        result = await subject.run(ToolCall(key, subject.spec.name, given), Call(key, self.person, self.conversation))
        assert isinstance(result, ToolResult), f"run gave a {type(result).__name__}"
        return result

    async def verified(self, subject: Any, number: int, key: str) -> ToolResult:
        """Asks what became of a call."""
        call = ToolCall(key, subject.spec.name, self.arguments(subject.spec, number))
        result = await subject.verify(call, Call(key, self.person, self.conversation))
        assert isinstance(result, ToolResult), f"verify gave a {type(result).__name__}"
        return result

    async def test_t1_the_spec_is_valid_and_never_changes(self, own: Any, subject: Any) -> None:
        """Name, description, a schema of type object, roles and writers that exist; the same after calls."""
        spec, before = subject.spec, msgspec.json.encode(own.spec, order="deterministic")
        assert spec == own.spec
        jsonschema.Draft202012Validator.check_schema(spec.input_schema)
        assert spec.input_schema.get("type") == "object"
        assert spec.name, "a name"
        assert spec.description.strip(), "a description: it is all that a model knows of it"
        known = spec.input_schema.get("properties", {})
        assert [name for name in spec.roles if name.split(".")[0] not in known] == [], "roles of no argument"
        for number in (1, 2):
            await self.called(subject, number, new_key())
        assert msgspec.json.encode(own.spec, order="deterministic") == before, "the spec changed"
        assert subject.spec == own.spec

    async def test_t2_a_call_that_works_gives_a_result(self, subject: Any) -> None:
        """The example of `arguments` fits the schema and works, and its result can be read as JSON."""
        arguments = self.arguments(subject.spec, 1)
        jsonschema.validate(arguments, subject.spec.input_schema)
        result = await self.called(subject, 1, new_key())
        assert result.status == "ok", f"{result.text} - override `arguments` where another call is needed"
        size = len(msgspec.json.encode(result.content).decode())
        assert size <= getattr(subject.spec, "output_limit", size), "the result is larger than the spec says"

    @_KIT
    @given(data=st.data())
    async def test_t2_whatever_fits_the_schema_gives_a_result_or_a_typed_error(
        self, subject: Any, data: st.DataObject
    ) -> None:
        """Hostile texts, odd numbers, optional arguments left out; and within the time that the spec names."""
        arguments = data.draw(values_of(subject.spec.input_schema))
        with anyio.fail_after(subject.spec.timeout):
            try:
                await self.called(subject, 1, new_key(), arguments)
                return
            except GituError as error:
                failure = error
        assert type(failure).__name__ != "HookError", f"it raised something that is no GituError: {failure}"
        assert failure.message

    async def test_t3_a_tool_that_reads_changes_nothing(self, subject: Any, remote: Any) -> None:
        """However often it is called, the other side is as it was."""
        if set(subject.spec.effects) - {"read"}:
            pytest.skip(f"T3 is for tools that only read; this one says {', '.join(subject.spec.effects)}")
        needs(remote, "state")
        before = await state(remote)
        for number in (1, 2, 3):
            await self.called(subject, number, new_key())
            await self.verified(subject, number, new_key())
            assert await state(remote) == before, "reading changed something"

    async def test_t4_the_same_key_acts_once(self, subject: Any, remote: Any) -> None:
        """Again, and again beside each other: the same effect, tried again, is not a second one."""
        self._acts(subject, "T4")
        needs(remote, "state")
        key, before = new_key(), await state(remote)
        await self.called(subject, 1, key)
        after = await state(remote)
        assert after != before, "a call that works changed nothing that `state` shows"
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(self._again, subject, key)
        assert await state(remote) == after, "the same key acted a second time"
        for number in range(2, 12):
            await self._again(subject, new_key(), number)
        after = await state(remote)
        await self._again(subject, key)
        assert await state(remote) == after, "the same key acted again after other calls"

    async def test_t4_another_key_is_another_effect(self, subject: Any, remote: Any) -> None:
        """What is wanted twice happens twice."""
        self._acts(subject, "T4")
        needs(remote, "state")
        await self.called(subject, 1, new_key())
        after = await state(remote)
        await self.called(subject, 2, new_key())
        assert await state(remote) != after, "a second effect, with a key of its own, was dropped"

    async def test_t5_verify_tells_what_became_of_a_call(self, subject: Any, remote: Any) -> None:
        """``error`` before, ``ok`` with the result after, whatever was done meanwhile; asking changes nothing."""
        self._verifiable(subject)
        key, other = new_key(), new_key()
        assert (await self.verified(subject, 1, key)).status == "error", "nothing happened yet"
        done = await self.called(subject, 1, key)
        await self.called(subject, 2, other)
        before = await state(remote) if hasattr(remote, "state") else None
        found = [await self.verified(subject, number, name) for number, name in ((1, key), (2, other), (1, key))]
        assert [each.status for each in found] == ["ok"] * 3
        assert found[0].content == done.content, "verify gives another result than run did"
        assert (await self.verified(subject, 3, new_key())).status == "error", "a call that never was"
        if hasattr(remote, "state"):
            assert await state(remote) == before, "verify changed something"

    async def test_t6_run_ends_when_it_is_cancelled_and_tells_no_lie(self, subject: Any, remote: Any) -> None:
        """Cancelled at its first suspension, its second and so on: nothing is left running; what then happened is never
        reported as not done."""
        keys: dict[int, str] = {}
        states: dict[int, Any] = {}
        looks = hasattr(remote, "state") and subject.spec.effects != ("read",)

        async def run(number: int) -> ToolResult:
            keys[number], states[number] = new_key(), await state(remote) if looks else None
            return await self.called(subject, number, keys[number])

        await self._again(subject, new_key(), 0)  # what it opens once and keeps is not left over from a cancelled call
        async with nothing_left():
            with anyio.fail_after(4 * PATIENCE):
                async for cut in cuts(run, most=60):
                    changed = looks and await state(remote) != states[cut.nth]
                    denied = cut.ended and (cut.error is not None or cut.value.status in ("error", "denied"))
                    assert not (cut.reached and changed and denied), "it happened, and is reported as not done"
                    done = cut.reached and cut.ended and cut.error is None and cut.value.status == "ok"
                    assert changed or not (looks and done), "it did not happen, and is reported as done"
                    if changed and getattr(subject.spec, "verifiable", False):
                        found = (await self.verified(subject, cut.nth, keys[cut.nth])).status
                        assert found in ("ok", "unknown"), f"it happened, and verify says {found}"

    async def test_t7_what_others_wrote_is_named_or_labelled(self, subject: Any, remote: Any) -> None:
        """Words that somebody else planted come back only where `writers` or a label says so."""
        needs(remote, "plant")
        word = f"planted{serial()}"
        await of(remote.plant(word))
        result = await self.called(subject, 1, new_key())
        places = [path for path, text in leaves(result.content) if word in text]
        assert places, "what was planted does not come back: let `plant` put it where the call finds it"
        writers = {**getattr(subject.spec, "writers", {})}
        for path in places:
            named = any(covers(key, path) and who != "system" for key, who in writers.items())
            labels = [result.label, *(label for key, label in result.fields.items() if covers(key, path))]
            told = any(origin.startswith("outside:") for label in labels for origin in label.origins)
            assert named or told, f"the part {path or '(all)'} was written by somebody else, and nothing says so"

    async def test_t7_writers_and_labels_name_parts_that_exist(self, subject: Any) -> None:
        """A path that leads nowhere marks nothing."""
        writers = getattr(subject.spec, "writers", {})
        assert [who for who in writers.values() if who not in _WRITERS and not who.startswith("field:")] == []
        result = await self.called(subject, 1, new_key())
        paths = ["", *(path for path, _ in leaves(result.content))]
        missing = [key for key in result.fields if not any(covers(key, path) for path in paths)]
        assert missing == [], "labels of parts that are not there"

    def test_t4_happens_once_although_the_process_dies(self, own: Any) -> None:
        """By SIGKILL just before the effect and just after it, on real processes and a real store."""
        self._acts(own, "T4")
        if not self.crash:
            pytest.skip("not tested: set `crash` to the arguments of crash_test that make the tools for a World")
        report = crash_test(**{"scenarios": ["effect"], "points": ("world.effect",), **self.crash})
        assert report.broken == [], report.table()

    async def _again(self, subject: Any, key: str, number: int = 1) -> None:
        try:
            await self.called(subject, number, key)
        except GituError:  # a second try may be refused; it must not act
            return

    def _acts(self, subject: Any, law: str) -> None:
        if not set(subject.spec.effects) - {"read"}:
            pytest.skip(f"{law} is for tools that act; this one only reads")

    def _verifiable(self, subject: Any) -> None:
        if not subject.spec.verifiable:
            pytest.skip("T5 is for tools whose spec is `verifiable`; this one is not")
