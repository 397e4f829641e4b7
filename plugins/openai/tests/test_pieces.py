"""The parts of the provider that need no server: streams cut anywhere, schemas, names, late imports."""

from __future__ import annotations

import itertools
import subprocess
import sys
import weakref
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitu_core.contracts import Finish, ModelEvent, ModelMessage, Text, TextDelta
from gitu_openai.decode import Decoder
from gitu_openai.encode import Cache, safe_name
from gitu_openai.strict import is_strict

STREAM = (
    b": a comment\n\nevent: message\n"
    b'data: {"choices":[{"delta":{"content":"Gr\xc3\xbc\xc3\x9fe \xf0\x9f\x91\x8b"}}]}\n\n'
    b'data:{"choices":[{"delta":{"content":" to"},"finish_reason":null}],"usage":null,"unknown":[1]}\n\n'
    b'data: {"choices":[{"delta":{"content":" you"},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}\n\ndata: [DONE]\n\n'
)


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=20), st.booleans())
def test_a_stream_reads_the_same_wherever_the_network_cuts_it(cuts: list[int], carriage: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if carriage else STREAM
    decoder = Decoder({}, "")
    events: list[ModelEvent] = []
    edges = [0, *sorted(cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        events.extend(decoder.feed(stream[start:end]))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Grüße 👋 to you"
    assert decoder.finish() == Finish("stop", decoder.finish().usage, "")
    assert decoder.finish().usage.input_tokens == 5


@given(st.text(max_size=100), st.text(max_size=100))
def test_safe_names_are_allowed_and_stay_apart(one: str, other: str) -> None:
    assert len(safe_name(one)) <= 64
    assert all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in safe_name(one))
    assert (safe_name(one) == safe_name(other)) == (one == other)


def test_the_cache_forgets_what_was_not_used_for_long() -> None:
    cache = Cache(limit=20_000)
    kept = ModelMessage("user", (Text("kept"),), id="kept")
    cache.put(kept, b"x" * 100)
    others = [ModelMessage("user", (Text(str(number)),), id=str(number)) for number in range(200)]
    for each in others:
        cache.put(each, b"y" * 100)
        assert cache.get(kept) == b"x" * 100
    assert cache.get(others[-1]) == b"y" * 100
    assert cache.get(others[0]) is None


def test_the_cache_keeps_no_message_alive_and_knows_one_that_equals() -> None:
    cache = Cache()
    message = ModelMessage("user", (Text("one"),), id="one")
    cache.put(message, b"x")
    assert cache.get(ModelMessage("user", (Text("one"),), id="one")) == b"x"
    assert cache.get(ModelMessage("user", (Text("changed"),), id="one")) is None
    alive = weakref.ref(message)
    del message
    assert alive() is None


def test_a_nested_open_object_is_not_strict() -> None:
    inner: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    outer = {"type": "object", "properties": {"b": inner}, "required": ["b"], "additionalProperties": False}
    assert not is_strict(outer)
    inner["additionalProperties"] = False
    assert is_strict(outer)


def test_importing_the_plugin_loads_no_http_library() -> None:
    code = "import gitu_openai, gitu_openai.provider, sys; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
