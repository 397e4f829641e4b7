"""Whatever value goes in comes out."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gitu_core.contracts.host import Entry
from gitu_core.contracts.ports import HistoryEntry, InboxEntry
from gitu_core.model import Account, Conversation, Label, Message, ModelMessage, Text, ToolCall
from gitu_core.store import Store
from gitu_core.store.codec import bound, decoded, encoded

WORDS = st.text(st.characters(exclude_categories=["Cs"]))
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
LABELS = st.builds(
    Label, origins=st.frozensets(WORDS, max_size=2), readers=st.none() | st.frozensets(WORDS, max_size=2)
)
PARTS = st.lists(st.builds(Text, text=WORDS), max_size=3).map(tuple)
CALLS = st.lists(
    st.builds(ToolCall, id=WORDS, tool=WORDS, arguments=st.dictionaries(WORDS, JSON, max_size=3)), max_size=2
).map(tuple)
CONTEXT = st.builds(
    ModelMessage, role=st.sampled_from(["user", "assistant"]), parts=PARTS, calls=CALLS, label=LABELS, id=WORDS
)


@settings(max_examples=60, deadline=None)
@given(CONTEXT)
def test_context_messages_survive_encoding(message: ModelMessage) -> None:
    assert decoded(encoded(message, ModelMessage), ModelMessage, "it") == message


@settings(max_examples=25, deadline=None)
@given(st.lists(CONTEXT, min_size=1, max_size=4), WORDS.filter(bool), WORDS, JSON)
def test_what_is_stored_comes_back(messages: list[ModelMessage], key: str, words: str, value: Any) -> None:
    entries = [
        HistoryEntry(session="s", person=words, message=message, tokens=1, at=float(n))
        for n, message in enumerate(messages)
    ]
    said = Message(
        key=key,
        conversation=Conversation(channel="c", id=words),
        sender=Account(channel="c", id=key, name=words),
        parts=(Text(text=words),),
        id="id",
    )

    async def check() -> None:
        async with Store() as store:
            await store.write(*entries)
            store._tails.clear()
            assert await store.history("s", 100) == entries
            await store.accept(InboxEntry(message=said, person=words, session=words))
            assert (await store.pending_in(words))[0][1] == InboxEntry(message=said, person=words, session=words)
            await store.kv_put("p", Entry(key="k", value=value, person=words))
            assert await store.kv_get("p", "k") == Entry(key="k", value=value, person=words)

    asyncio.run(check())


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4))
def test_rows_that_differ_are_bound_differently(one: list[str], two: list[str]) -> None:
    assert (bound(*one) == bound(*two)) == (one == two)
