"""What of a contract crosses, read from its Protocol: methods, data attributes, nested contracts.

Objects that fulfil a contract never cross. A *crossing* does in their place: a number by which the other
side can name the object, and the object's data attributes.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect as shape

from gitu_core.border.codec import Codec, codec_for
from gitu_core.border.faults import Fault
from gitu_core.contracts import seam_of
from gitu_core.errors import BorderError

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
Offer = Callable[[Any, "Plan"], Any]
"""Makes an object a crossing."""
Accept = Callable[[Any, "Plan"], Any]
"""Makes a crossing an object: a proxy, or the object itself where it came home."""
Turn = Callable[[Any, Any], Any]
"""Turns a value by an `Offer` or an `Accept`."""


@dataclass(frozen=True)
class Carriage:
    """How a parameter or result of a type crosses: as what, and what must happen on each side (None =
    nothing)."""

    hint: Any
    out: Turn | None = None
    into: Turn | None = None


@dataclass(frozen=True)
class Method:
    """A method of a contract. `arguments` is a struct with one field a parameter."""

    name: str
    streams: bool
    arguments: type[msgspec.Struct]
    carried: tuple[tuple[str, Carriage], ...]
    result: Carriage

    @cached_property
    def args_codec(self) -> Codec[Any]:
        """Encodes `arguments`."""
        return codec_for(self.arguments)

    @cached_property
    def result_codec(self) -> Codec[Any]:
        """Encodes the result, or one item of the stream."""
        return codec_for(self.result.hint)

    def pack(self, args: Args, kwargs: Kwargs, offer: Offer) -> msgspec.Struct:
        """Arguments as they cross; a `TypeError` where they do not fit the signature."""
        packed = self.arguments(*args, **kwargs)
        for name, carriage in self.carried:
            value = getattr(packed, name)
            if carriage.out is not None and value is not msgspec.UNSET:
                setattr(packed, name, carriage.out(value, offer))
        return packed

    def unpack(self, packed: msgspec.Struct, accept: Accept) -> dict[str, Any]:
        """Arguments for the implementation; what was left out stays out, so that its own defaults apply."""
        values = {name: getattr(packed, name) for name in packed.__struct_fields__}
        for name, carriage in self.carried:
            if carriage.into is not None and values[name] is not msgspec.UNSET:
                values[name] = carriage.into(values[name], accept)
        return {name: value for name, value in values.items() if value is not msgspec.UNSET}


class Plan:
    """What of one contract crosses. Get it from `plan_of`, which keeps it."""

    def __init__(self, protocol: type) -> None:
        seam = seam_of(protocol)
        self.protocol = protocol
        self.name = seam.name if seam else protocol.__name__
        if seam is not None and not seam.crosses:
            raise BorderError(f"contract {self.name} can only be fulfilled inside the host", hint="run it in the host")
        self.host_only = seam.host_only if seam else frozenset[str]()
        hints = {name: hint for name, hint in get_type_hints(protocol, include_extras=True).items()
                 if name not in self.host_only and not name.startswith("_")}  # fmt: skip
        self.parts = {name: plan_of(hint) for name, hint in hints.items() if is_contract(hint)}
        self.data = {name: hint for name, hint in hints.items() if name not in self.parts}

    @cached_property
    def methods(self) -> dict[str, Method]:
        """Every public method by name."""
        found: dict[str, Method] = {}
        for cls in reversed(self.protocol.__mro__):
            for name, function in vars(cls).items():
                if inspect.isfunction(function) and not name.startswith("_"):
                    found[name] = _method(self.name, name, function)
        return found

    @cached_property
    def data_type(self) -> type[msgspec.Struct]:
        """A struct with one field a data attribute."""
        return _struct(f"{self.protocol.__name__}Data", {name: (hint, True) for name, hint in self.data.items()})

    @cached_property
    def parts_type(self) -> type[msgspec.Struct]:
        """A struct with one crossing a nested contract."""
        crossings = {name: (plan.crossing, True) for name, plan in self.parts.items()}
        return _struct(f"{self.protocol.__name__}Parts", crossings)

    @cached_property
    def crossing(self) -> type[msgspec.Struct]:
        """What crosses in place of an object. `home`: it is the receiver's own object, coming back;
        `failed` holds the errors of attributes that could not be read."""
        fields: list[Any] = [
            ("ref", int), ("home", bool, False), ("data", self.data_type, self.data_type()),
            ("parts", self.parts_type, self.parts_type()),
            ("failed", dict[str, Fault], msgspec.field(default_factory=dict)),
        ]  # fmt: skip
        return msgspec.defstruct(f"{self.protocol.__name__}Crossing", fields, omit_defaults=True, frozen=True)


def is_contract(hint: Any) -> bool:
    """True for Protocol classes: an object of such a type never crosses itself."""
    return isinstance(hint, type) and bool(getattr(hint, "_is_protocol", False))


@cache
def plan_of(protocol: type) -> Plan:
    """The plan of a Protocol. `BorderError` if it can only be fulfilled inside the host."""
    return Plan(protocol)


def _struct(name: str, fields: dict[str, tuple[Any, bool]], frozen: bool = True) -> type[msgspec.Struct]:
    """A struct whose fields are (hint, may be left out)."""
    spec: list[Any] = []
    for field, (hint, optional) in fields.items():
        maybe: Any = Union[hint, msgspec.UnsetType]  # noqa: UP007 - made at run time
        spec.append((field, maybe, msgspec.UNSET) if optional else (field, hint))
    try:
        return msgspec.defstruct(name, spec, frozen=frozen)
    except TypeError as error:
        raise BorderError(f"{name} cannot cross: {error}", hint="parameters with defaults come last") from error


def _method(contract: str, name: str, function: Callable[..., Any]) -> Method:
    hints = get_type_hints(function, include_extras=True)
    returned = hints.get("return", Any)
    streams = not inspect.iscoroutinefunction(function)
    if streams:
        if get_origin(returned) not in (AsyncIterator, AsyncIterable, AsyncGenerator):
            raise _not_carried(contract, name, "it is neither `async def` nor gives an AsyncIterator")
        returned = get_args(returned)[0]
    fields: dict[str, tuple[Any, bool]] = {}
    carried: list[tuple[str, Carriage]] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise _not_carried(contract, name, f"its parameter {parameter.name} has no fixed place")
        carriage = _carriage(hints.get(parameter.name, Any))
        fields[parameter.name] = (carriage.hint, parameter.default is not parameter.empty)
        if carriage.out or carriage.into:
            carried.append((parameter.name, carriage))
    struct = _struct(f"{contract}.{name}", fields, frozen=False)
    return Method(name, streams, struct, tuple(carried), _carriage(returned))


def _not_carried(contract: str, name: str, why: str) -> BorderError:
    return BorderError(f"{contract}.{name} cannot cross: {why}", hint="see the rules in gitu_core.contracts.base")


def _carriage(hint: Any) -> Carriage:
    """How a type crosses. Contracts may stand alone, in an optional, in a sequence or as values of a dict."""
    origin, args = get_origin(hint), get_args(hint)
    contracts = [each for each in (hint, *args) if is_contract(each)]
    if not contracts:
        if origin is not None and isinstance(shape.type_info(hint), shape.ListType):
            # Any sequence satisfies the hint; a list is what JSON gives back, so both sides compare equal.
            return Carriage(hint, lambda value, offer: list(value) if isinstance(value, tuple) else value)
        return Carriage(hint)
    plan = plan_of(contracts[0])
    turns: tuple[Turn, Turn] = lambda value, offer: offer(value, plan), lambda value, accept: accept(value, plan)
    if origin is None:
        return Carriage(plan.crossing, *turns)
    if origin in (Union, types.UnionType):
        if len(contracts) != 1 or set(args) - {contracts[0], types.NoneType}:
            raise BorderError(f"{hint} cannot cross", hint="use one contract, or one contract or None")
        return Carriage(Union[plan.crossing, None], *map(_unless_none, turns))  # noqa: UP007 - at run time
    if origin is dict:
        return Carriage(dict[str, plan.crossing], *map(_in_dict, turns))  # type: ignore[name-defined]
    return Carriage(list[plan.crossing], *map(_in_list, turns))  # type: ignore[name-defined]


def _unless_none(turn: Turn) -> Turn:
    return lambda value, side: None if value is None else turn(value, side)


def _in_list(turn: Turn) -> Turn:
    return lambda value, side: [turn(each, side) for each in value]


def _in_dict(turn: Turn) -> Turn:
    return lambda value, side: {key: turn(each, side) for key, each in value.items()}
