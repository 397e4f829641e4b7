"""The one exchange that everybody has with the model, and the proof that everybody sends the same.

Written down here once; what Gitu, the bare clients and the peers send is compared with it by what the server received.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.benchmarks.server import ARGUMENTS, CALL, WORDS

INSTRUCTIONS = "Answer briefly and truthfully. Use the tool where it helps."
QUESTION = "Please note what I have to buy on my way home: milk, bread and butter."
ANSWER = " ".join(WORDS)
RESULT = "kept"

NOTE = {
    "type": "function",
    "function": {
        "name": "note",
        "description": "Keeps a note.",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        },
    },
}
"""The tool, as the protocol describes one."""

OPTIONS: dict[str, Any] = {
    "model": "bench",
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 4096,
}
ASKED: list[dict[str, Any]] = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": QUESTION}]
_FUNCTION = {"name": "note", "arguments": "".join(ARGUMENTS)}
RESULTS: list[dict[str, Any]] = [
    *ASKED,
    {"role": "assistant", "content": None, "tool_calls": [{"id": CALL, "type": "function", "function": _FUNCTION}]},
    {"role": "tool", "tool_call_id": CALL, "content": RESULT},
]

PLAIN = ({**OPTIONS, "messages": ASKED},)
"""The request of a plain turn."""

TOOL = ({**OPTIONS, "messages": ASKED, "tools": [NOTE]}, {**OPTIONS, "messages": RESULTS, "tools": [NOTE]})
"""The two requests of a tool turn."""

KINDS: dict[str, tuple[dict[str, Any], ...]] = {"plain": PLAIN, "tool": TOOL}


async def note(text: str) -> str:
    """Keeps a note."""
    assert text == "milk, bread and butter"
    return RESULT


def differences(kind: str, bodies: list[str], *, strict: bool = True) -> list[str]:
    """How the *bodies* of one turn differ from what everybody should send; nothing where they are the same.

    Ids of calls and the spacing of their arguments do not count. Not *strict*, only messages and tools do.
    """
    expected = KINDS[kind]
    if len(bodies) != len(expected):
        return [f"{len(bodies)} requests, not {len(expected)}"]
    found = []
    for number, (body, wanted) in enumerate(zip(bodies, expected, strict=True), 1):
        sent, wanted = _normal(json.loads(body)), _normal(wanted)
        keys = sent.keys() | wanted.keys() if strict else ("messages", "tools")
        for key in sorted(keys):
            found += [f"request {number}: {each}" for each in _compared(key, sent.get(key), wanted.get(key))]
    return found


def _compared(key: str, sent: Any, wanted: Any) -> list[str]:
    if sent == wanted:
        return []
    if isinstance(sent, list) and isinstance(wanted, list) and len(sent) == len(wanted):
        return [
            each
            for number, (one, other) in enumerate(zip(sent, wanted, strict=True))
            for each in _compared(f"{key}[{number}]", one, other)
        ]
    if isinstance(sent, dict) and isinstance(wanted, dict):
        return [
            each
            for name in sorted(sent.keys() | wanted.keys())
            for each in _compared(f"{key}.{name}", sent.get(name), wanted.get(name))
        ]
    return [f"{key} is {json.dumps(sent)[:90]}, not {json.dumps(wanted)[:90]}"]


def _normal(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "messages": [_message(each) for each in body["messages"]]}


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in message.items() if value not in (None, "")}
    if "tool_call_id" in plain:
        plain["tool_call_id"] = CALL
    if "tool_calls" in plain:
        plain["tool_calls"] = [
            {
                "type": call["type"],
                "name": call["function"]["name"],
                "arguments": json.loads(call["function"]["arguments"]),
            }
            for call in plain["tool_calls"]
        ]
    return plain
