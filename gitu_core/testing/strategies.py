"""Hypothesis strategies for every value of `gitu_core.model`, for property tests of whatever carries them.

They give what may really travel: text without lone surrogates, finite numbers, unknown fields at every level.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from gitu_core.model import (
    Account,
    Answer,
    Ask,
    BlobRef,
    CallDelta,
    CallInfo,
    Candidate,
    Claim,
    Conversation,
    Delivery,
    ErrorInfo,
    Event,
    Finish,
    Health,
    Hit,
    Label,
    Location,
    Media,
    MemoryQuery,
    Message,
    ModelInfo,
    ModelMessage,
    ModelRequest,
    Opaque,
    Outgoing,
    Part,
    Progress,
    Reaction,
    Receipt,
    Reply,
    RouteTask,
    Step,
    Text,
    TextDelta,
    ToolCall,
    ToolResult,
    ToolSpec,
    TurnInfo,
    Usage,
    Value,
)
from gitu_core.model import steps as model_steps
from gitu_core.model import turn as model_turn

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Text that can be encoded; nulls, line ends and characters outside of the basic plane included."""

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
"""Identifiers."""

numbers = st.floats(allow_nan=False, allow_infinity=False)
"""Numbers that JSON has."""

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers | texts

json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
"""Any JSON value."""

json_objects = st.dictionaries(texts, json_values, max_size=3)
"""Any JSON object."""

unknown_fields = st.dictionaries(st.sampled_from(["x-new", "extra", "zz", "a b", "née"]), json_values, max_size=2)
"""Fields that a newer peer may send, one called ``extra`` among them."""

principals = st.sampled_from(["system", "user:ann", "user:bob", "outside:web:a.example", "plugin:p"])

plain_labels = st.builds(
    Label, st.frozensets(principals, max_size=3), st.none() | st.frozensets(principals, max_size=3)
)
"""Labels without unknown fields."""


def _of(kind: type[Value], /, **fields: Any) -> st.SearchStrategy[Any]:
    """Values of a kind with the given fields; whatever is left out is derived from its type or keeps its
    default."""
    return st.builds(kind, extra=unknown_fields, **fields)


labels = _of(Label, origins=st.frozensets(principals, max_size=3), readers=st.none() | st.frozensets(principals))
blobs = _of(BlobRef, digest=names, size=st.integers(0, 2**40), media_type=names, name=texts)

parts: st.SearchStrategy[Part] = st.one_of(
    _of(Text, text=texts, format=st.sampled_from(["plain", "markdown"])),
    _of(Media, blob=blobs, kind=st.sampled_from(["image", "voice"]), caption=texts, seconds=st.none() | numbers),
    _of(Location, latitude=numbers, longitude=numbers, name=texts),
    _of(Reaction, emoji=texts),
    _of(Ask, id=names, question=texts, choices=st.lists(texts, max_size=3).map(tuple), details=texts),
    _of(Answer, ask=names, choice=texts),
    st.builds(Opaque, st.builds(lambda rest, tag: {**rest, "type": tag}, json_objects, st.just("poll"))),
)
"""Every kind of part, one that this version does not know among them."""

part_lists = st.lists(parts, max_size=3).map(tuple)
accounts = _of(Account, channel=names, id=names, name=texts)
conversations = _of(Conversation, channel=names, id=names, thread=texts, kind=st.sampled_from(["direct", "group"]))
messages = _of(
    Message,
    key=names,
    conversation=conversations,
    sender=accounts,
    parts=part_lists,
    target=texts,
    reply_to=texts,
    action=st.sampled_from(["new", "edit", "delete", "react"]),
    at=numbers,
    label=labels,
)
outgoing = _of(Outgoing, id=names, key=names, conversation=conversations, parts=part_lists, label=labels)
deliveries = _of(
    Delivery,
    state=st.sampled_from(["sent", "not_sent", "unknown"]),
    ids=st.lists(names, max_size=2).map(tuple),
    retry_after=st.none() | numbers,
    final=st.booleans(),
    detail=texts,
)

tool_specs = _of(
    ToolSpec,
    name=names,
    description=texts,
    input_schema=json_objects,
    roles=st.dictionaries(names, names, max_size=2),
    effects=st.lists(st.sampled_from(["read", "write", "send", "execute", "spend"])).map(tuple),
    timeout=numbers,
    output_schema=st.none() | json_objects,
    examples=st.lists(texts, max_size=2).map(tuple),
)
tool_calls = _of(ToolCall, id=names, tool=names, arguments=json_objects, raw=st.none() | texts, label=labels)
error_infos = _of(ErrorInfo, code=names, message=texts, hint=texts, details=json_objects)
tool_results = _of(
    ToolResult,
    status=st.sampled_from(["ok", "error", "denied", "unknown"]),
    content=json_values,
    blobs=st.lists(blobs, max_size=2).map(tuple),
    error=st.none() | error_infos,
    label=labels,
    fields=st.dictionaries(texts, labels, max_size=2),
)
call_infos = _of(CallInfo, call=names, key=names, principal=texts, deadline=st.none() | numbers, label=labels)

claims = _of(
    Claim,
    id=names,
    person=names,
    text=texts,
    kind=names,
    sources=st.lists(names, max_size=2).map(tuple),
    confidence=numbers,
    created_at=numbers,
    expires_at=st.none() | numbers,
    label=labels,
    status=st.sampled_from(["unverified", "verified", "disputed", "retracted"]),
)
hits = _of(Hit, claim=claims, score=numbers)
queries = _of(MemoryQuery, person=names, text=texts, limit=st.integers(0, 100), at=st.none() | numbers)

usages = _of(Usage, input_tokens=st.integers(0, 2**40), output_tokens=st.integers(0, 9), cost=st.integers(0, 2**50))
model_messages = _of(
    ModelMessage,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    parts=part_lists,
    calls=st.lists(tool_calls, max_size=2).map(tuple),
    call_id=texts,
    name=texts,
    id=texts,
    label=labels,
)
histories = st.lists(model_messages, max_size=4).map(tuple)
"""What a model is shown: entries of a context, in order."""

model_requests = _of(
    ModelRequest,
    model=names,
    messages=histories,
    tools=st.lists(tool_specs, max_size=2).map(tuple),
    temperature=st.none() | numbers,
    seed=st.none() | st.integers(0, 9),
    settings=json_objects,
)
model_infos = _of(ModelInfo, id=names, input_price=st.none() | st.integers(0, 9), capabilities=st.frozensets(names))
candidates = _of(Candidate, model=names, info=model_infos, estimate=st.none() | st.integers(0, 2**50))
route_tasks = _of(RouteTask, task=names, needs=st.frozensets(names, max_size=3), max_cost=st.none() | st.integers(0))
model_events = st.one_of(
    _of(TextDelta, text=texts), _of(CallDelta, index=st.integers(0, 9), arguments=texts), _of(Finish, usage=usages)
)

turn_infos = _of(TurnInfo, id=names, session=names, cause=names, principal=names)
replies = _of(
    Reply,
    turn=names,
    session=names,
    parts=part_lists,
    data=json_values,
    calls=st.lists(tool_calls, max_size=1).map(tuple),
    results=st.lists(tool_results, max_size=1).map(tuple),
    usage=usages,
    error=st.none() | error_infos,
    label=labels,
)
turn_events = st.one_of(
    _of(Progress, text=texts, fraction=st.none() | numbers),
    _of(model_turn.ToolFinished, call=tool_calls, result=tool_results, seconds=numbers),
    _of(model_turn.TurnFinished, reply=replies),
)
events = _of(Event, kind=names, at=numbers, data=json_objects, label=labels)

steps: st.SearchStrategy[Step] = st.one_of(
    _of(model_steps.Begun, info=turn_infos, ask=names, label=labels),
    _of(model_steps.ModelAsked, model=names, estimate=st.none() | st.integers(0, 2**50)),
    _of(model_steps.ModelAnswered, message=model_messages, usage=usages, model=names, seconds=numbers),
    _of(model_steps.ModelFailed, model=names, error=error_infos),
    _of(model_steps.CallDecided, call=tool_calls, verdict=st.sampled_from(["allow", "ask", "deny"]), reason=texts),
    _of(model_steps.CallStarted, call=names, key=names),
    _of(model_steps.CallFinished, call=names, result=tool_results, seconds=numbers),
    _of(model_steps.Ended, reply=replies),
)
"""Every kind of step."""

BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    Label: labels,
    BlobRef: blobs,
    Part: parts,
    Message: messages,
    Outgoing: outgoing,
    Delivery: deliveries,
    ToolSpec: tool_specs,
    ToolCall: tool_calls,
    ToolResult: tool_results,
    CallInfo: call_infos,
    Claim: claims,
    Hit: hits,
    MemoryQuery: queries,
    ModelMessage: model_messages,
    ModelRequest: model_requests,
    Candidate: candidates,
    RouteTask: route_tasks,
    Reply: replies,
    Event: events,
    Step: steps,
    ErrorInfo: error_infos,
    Usage: usages,
    Receipt: _of(Receipt, id=names, fresh=st.booleans()),
    Health: _of(Health, detail=texts, hint=texts),
    TextDelta | CallDelta | Finish: model_events,
    Progress | model_turn.ToolFinished | model_turn.TurnFinished: turn_events,
    tuple[ModelMessage, ...]: histories,
    Any: json_values,
}
"""A strategy for each type hint under which values travel."""
