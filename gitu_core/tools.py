"""`@tool`: a tool made from a typed function. The JSON Schema comes from its hints and its docstring.

Nothing is computed until the spec is read, so that decorating costs nothing at import.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec, TypeVar, cast, get_origin, get_type_hints, overload

import msgspec

from gitu_core.contracts.tool import Context
from gitu_core.errors import ConfigError, ToolInputError
from gitu_core.isolation import in_thread
from gitu_core.model import CallInfo, Effect, ToolCall, ToolResult, ToolSpec

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D")


@dataclass(frozen=True)
class Role:
    """Says in an annotation what an argument is for: ``to: Annotated[str, Role("recipient")]``."""

    name: str


class ToolContext(Generic[D]):
    """What a tool function gets when its first parameter is annotated with it. `deps` is what the embedder passed."""

    __slots__ = ("_context", "deps", "info")

    def __init__(self, context: Context) -> None:
        self._context = context
        self.info: CallInfo = context.info
        self.deps: D = getattr(context, "deps", None)  # type: ignore[assignment]

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Shows how far the work is; *fraction* is 0 to 1."""
        await self._context.progress(text, fraction)


class FunctionTool(Generic[P, R]):
    """A function as a `Tool`. Calling it calls the function, so that it can be tested as what it is."""

    def __init__(self, function: Callable[P, R], options: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._options = dict(options)
        self._verify: Callable[..., Any] | None = self._options.pop("verify", None)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    @functools.cached_property
    def _signature(self) -> Signature:
        return read_signature(self.function)

    def _make_spec(self) -> ToolSpec:
        """What the tool says of itself; made on first use. `ConfigError` if the function cannot be a tool."""
        signature = self._signature
        options = dict(self._options)
        roles = {**signature.roles, **options.pop("roles", {})}
        for name in roles:
            if name.split(".")[0] not in signature.schema.get("properties", {}):
                what = f"tool {self.function.__name__}: role for unknown argument {name!r}"
                raise ConfigError(what, hint="correct roles")
        name = options.pop("name", None) or self.function.__name__
        description = options.pop("description", None) or signature.description
        if not description:
            raise ConfigError(f"tool {name} has no description", hint="write a docstring")
        return ToolSpec(name, description, signature.schema, roles=roles, verifiable=bool(self._verify), **options)

    spec = cast(ToolSpec, functools.cached_property(_make_spec))  # to the type checker what the contract has

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Checks the arguments against the hints, calls the function, and makes its value a `ToolResult`."""
        return await self._call(self.function, call, context)

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """Asks the function given as ``verify=``; without one the outcome is unknown."""
        if self._verify is None:
            return ToolResult("unknown")
        return await self._call(self._verify, call, context)

    async def _call(self, function: Callable[..., Any], call: ToolCall, context: Context) -> ToolResult:
        arguments = self._signature.coerce(call.arguments)
        args = (ToolContext[Any](context),) if self._signature.context else ()
        if inspect.iscoroutinefunction(function):
            value = await function(*args, **arguments)
        else:
            # In a thread that may be left behind: a function that hangs must not outlive its time limit.
            work = functools.partial(function, *args, **arguments)
            value = await in_thread(work, math.inf, f"gitu-tool-{self.function.__name__}")
            if isinstance(value, Awaitable):
                value = await value
        return value if isinstance(value, ToolResult) else ToolResult(content=to_json(value))


def to_json(value: Any) -> Any:
    """*value* as JSON data. Knows what msgspec knows and pydantic models; anything else is a `TypeError`."""

    def other(item: Any) -> Any:
        if hasattr(item, "model_dump"):
            return item.model_dump(mode="json")
        raise TypeError(f"a tool returned a {type(item).__name__}, which is not JSON data")

    return msgspec.to_builtins(value, enc_hook=other, str_keys=True)


@dataclass
class Signature:
    """What the hints and the docstring of a tool function say."""

    description: str
    schema: dict[str, Any]
    roles: dict[str, str]
    context: bool
    model: Any

    def coerce(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """JSON arguments as the Python values that the hints ask for. `ToolInputError` where they do not fit."""
        from pydantic import ValidationError

        try:
            checked = self.model.model_validate(arguments)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            path = ".".join(str(part) for part in first["loc"])
            words = f"{path or 'arguments'}: {first['msg']}"
            raise ToolInputError(words, hint="correct the arguments", path=path) from error
        return {info.alias or field: getattr(checked, field) for field, info in self.model.model_fields.items()}


def read_signature(function: Callable[..., Any]) -> Signature:
    """Makes a pydantic model, and from it the JSON Schema, out of a function's parameters and docstring."""
    import docstring_parser
    from pydantic import ConfigDict, Field, create_model
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        hint = "import the type at the top of the module"
        raise ConfigError(f"tool {function.__name__}: {error}", hint=hint) from error
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    words = {param.arg_name: param.description for param in doc.params}
    parameters = list(inspect.signature(function).parameters.values())
    first = hints.get(parameters[0].name) if parameters else None
    context = first is ToolContext or get_origin(first) is ToolContext
    fields: dict[str, Any] = {}
    roles: dict[str, str] = {}
    for number, parameter in enumerate(parameters[1:] if context else parameters):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigError(f"tool {function.__name__}: parameter {parameter.name} has no name a model could use",
                              hint="give every parameter a name and a type")  # fmt: skip
        hint = hints.get(parameter.name, str)
        for role in getattr(hint, "__metadata__", ()):
            if isinstance(role, Role):
                roles[parameter.name] = role.name
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[f"p{number}"] = (hint, Field(default, alias=parameter.name, description=words.get(parameter.name)))
    try:
        strict = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
        model = create_model(function.__name__, __config__=strict, **fields)
        schema = model.model_json_schema(by_alias=True)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise ConfigError(f"tool {function.__name__}: {error}", hint="use types that have a JSON form") from error
    description = "\n\n".join(text for text in (doc.short_description, doc.long_description) if text)
    return Signature(description, _tidy(schema), roles, context, model)


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Drops the titles that pydantic adds from names: they cost tokens and say nothing."""
    schema.pop("title", None)
    for part in schema.get("properties", {}).values():
        part.pop("title", None)
    for part in schema.get("$defs", {}).values():
        _tidy(part)
    schema.setdefault("properties", {})
    return schema


@overload
def tool(function: Callable[P, R], /) -> FunctionTool[P, R]: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, effects: Sequence[Effect] = ("read",),
    roles: Mapping[str, str] | None = None, writers: Mapping[str, str] | None = None, reversible: bool = False,
    verify: Callable[..., Any] | None = None, timeout: float = 30.0, output_limit: int = 100_000,
    examples: Sequence[str] = (), asked: Sequence[str] = (), records: Mapping[str, str] | None = None,
    audience: Literal["", "self", "others"] = "", private: bool | None = None,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...  # fmt: skip
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Makes a typed function a tool. Parameters, their types and the docstring become its JSON Schema.

    `effects` say what it does to the world, `roles` what each argument is for, `writers` who wrote which part of the
    result, `records` what the parts are, `asked` with which phrases people ask for it, `audience` who sees what it does
    (see `ToolSpec`), `verify` is a function of the same parameters that tells what became of an earlier call, `timeout`
    is in seconds, `output_limit` in characters of JSON.
    What a `private` tool gives is for the eyes of the person it is called for.
    """
    if function is not None:
        return FunctionTool(function, {})
    for name in ("effects", "examples", "asked"):
        if name in options:
            options[name] = tuple(options[name])
    for name in ("roles", "writers", "records"):
        options[name] = dict(options.get(name) or {})
    return lambda wrapped: FunctionTool(wrapped, options)


def as_tool(value: Any) -> Any:
    """*value* as a tool: a tool stays as it is, a plain function is made one. `ConfigError` for anything else."""
    if hasattr(value, "spec") and hasattr(value, "run"):
        return value
    if callable(value):
        return FunctionTool(value, {})
    raise ConfigError(f"{value!r} is not a tool", hint="pass a function or a Tool")
