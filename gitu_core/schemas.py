"""JSON Schemas that anybody may have written: what `jsonschema` says of a value, but never for long.

`jsonschema` follows every branch of a schema and matches patterns with `re`, and either can take for ever. Here its
keywords are kept, each step is counted, and patterns go to the engine of `pydantic`, which is linear in the text.
It is slow to import, so that who needs it imports it late.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import pairwise
from threading import local
from time import thread_time
from types import SimpleNamespace
from typing import Any

import pydantic_core
from jsonschema import Draft202012Validator, ValidationError, validators
from referencing import Registry

from gitu_core.errors import ConfigError, ToolInputError

# What one check may take: time of the processor, and letters of messages, of which each step counts as a hundred.
_SECONDS, _MOST, _STEP = 0.8, 10_000_000, 100
_STATES = 50_000  # that a pattern may have: the engine needs memory for each, and time for each and every letter
_work = local()


class Schema:
    """A JSON Schema (2020-12, whatever ``$schema`` says) that refers to itself only. `ConfigError` if it is none;
    one of a *configuration* is not read first, which would cost every start. Errors begin with *owner*."""

    def __init__(self, schema: Any, owner: str = "the schema", *, configuration: bool = False) -> None:
        self._owner, self._fails = owner, ConfigError if configuration else ToolInputError
        if not configuration:
            self._checks = _Validator(_Validator.META_SCHEMA, format_checker=_PATTERNS)
            for error in self.problems(schema):
                raise ConfigError(f"{owner}: its JSON Schema is wrong at {error.json_path[:99]}: {error.message[:300]}",
                                  hint="correct the schema", field=owner)  # fmt: skip
        self._checks = _Validator(schema, registry=Registry())

    def problems(self, value: Any) -> Iterator[Any]:
        """What does not fit, as errors of `jsonschema`. `ToolInputError` (`ConfigError` in a configuration) if that
        takes too long or goes too deep, `ConfigError` if a reference or a pattern of the schema cannot be used."""
        _work.left, _work.until = _MOST, thread_time() + _SECONDS
        try:
            yield from self._checks.iter_errors(value)
        except (RecursionError, OverflowError):  # or a number has more digits than can be reckoned with
            raise self._fails(f"{self._owner}: too large or nested too deeply to be checked",
                             hint="send less, or simplify the JSON Schema") from None  # fmt: skip
        except Exception as error:  # a reference or pattern that cannot be followed, of whatever class
            said, hint = getattr(error, "message", f"{type(error).__name__}: {error}"), getattr(error, "hint", "")
            raise ConfigError(f"{self._owner}: its JSON Schema cannot be used: {said.split(chr(10))[0][:300]}",
                              hint=hint or "correct the schema", field=self._owner) from error  # fmt: skip


def _spend(much: int) -> bool:
    _work.left -= much
    if _work.left < 0 or thread_time() > _work.until:
        raise RecursionError  # it would go on like this
    return True


def _heard(keyword: Callable[..., Any], *given: Any) -> Iterator[Any]:
    return (error for error in keyword(*given) if _spend(len(error.message)))


def _evolve(self: Any, *, schema: Any, _resolver: Any = None) -> Any:
    """The library's own would take the validator that ``$schema`` names, which counts nothing."""
    _spend(_STEP)
    return type(self)(_spelt(schema), format_checker=self.format_checker, _resolver=_resolver or self._resolver)


def _descend(self: Any, instance: Any, schema: Any, *rest: Any, **more: Any) -> Any:
    return _further(self, instance, _spelt(schema), *rest, **more)


def _spelt(schema: Any) -> Any:
    return {"not": {}} if schema is False else schema  # the library says false without a keyword that could be counted


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and not _found(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
    for pattern, part in patterns.items() if isinstance(instance, dict) else ():
        yield from _ALL["properties"](validator, {key: part for key in instance if _found(pattern, key)}, instance, {})


def _additional(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
    known = dict.fromkeys(_named(instance, schema)) if isinstance(instance, dict) else {}
    return _ALL["additionalProperties"](validator, value, instance, {"properties": known})


def _named(instance: dict[str, Any], schema: Any) -> set[Any]:
    patterns, names = schema.get("patternProperties", ()), schema.get("properties", ())
    return {name for name in instance if name in names or any(_found(each, name) for each in patterns)}


def _unique(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if value and isinstance(instance, list):  # by texts, which are the same for 1 and 1.0 and not for 1 and true
        texts = (json.loads(json.dumps(each, default=repr), parse_float=_whole) for each in instance)
        if len({json.dumps(each, sort_keys=True) for each in texts}) < len(instance):
            yield ValidationError(f"{instance!r} has non-unique elements")


def _whole(text: str) -> float:
    return int(float(text)) if float(text).is_integer() else float(text)


def _unevaluated(kind: Any, validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    found = {} if not isinstance(instance, kind) else instance if kind is dict else dict(enumerate(instance))
    for name in found.keys() - (_seen(validator, instance, found, schema) if found else ()):
        if not _fits(validator, value, found[name]):
            yield ValidationError(f"{name!r} is not evaluated by the schema, and not allowed")


def _fits(validator: Any, schema: Any, value: Any) -> bool:
    return bool(validator.evolve(schema=schema).is_valid(value))


def _seen(validator: Any, instance: Any, entries: dict[Any, Any], schema: Any) -> set[Any]:
    """The names or places of *instance* that a schema evaluates, together with those of its parts that hold."""
    _spend(_STEP + len(entries))
    named, get = isinstance(instance, dict), schema.get
    seen = _named(instance, schema) if named else {*range(len(get("prefixItems", ())))}
    for word in _EACH[named] & schema.keys():
        seen |= {at for at in entries if _fits(validator, schema[word], entries[at])}
    parts = [each for word in ("allOf", "anyOf", "oneOf") for each in get(word, ()) if _fits(validator, each, instance)]
    if "if" in schema:
        parts += [schema["if"], get("then")] if _fits(validator, schema["if"], instance) else [get("else")]
    parts += [each for name, each in get("dependentSchemas", {}).items() if named and name in instance]
    links = [validator._resolver.lookup(schema[word]) for word in ("$ref", "$dynamicRef") if word in schema]
    led = [(validator.evolve(schema=link.contents, _resolver=link.resolver), link.contents) for link in links]
    led += [(validator, each) for each in parts]
    return seen.union(*(_seen(by, instance, entries, each) for by, each in led if isinstance(each, dict)))


def _found(pattern: str, text: str) -> bool:
    states, matches = _matcher(pattern)
    return _spend(states * len(text) // 20) and matches(text)


@lru_cache(32)
def _matcher(pattern: str) -> tuple[int, Callable[[str], bool]]:
    """How many states a pattern has at most, and what looks for it in a text."""
    states, why = _states(pattern), "it is too large, or has the flag x"
    if states <= _STATES and not re.search(r"\(\?[A-Za-z-]*x", pattern):
        try:
            written = re.sub(r"(?s)\\([<>])|(\\.)|\[(\^?\]?(?:\\.|[^]\\])*+\])", _meant, pattern)
            return states, pydantic_core.SchemaValidator({**_ENGINE, "pattern": written}).isinstance_python
        except pydantic_core.SchemaError as error:
            why = str(error).rpartition("rror: ")[2].strip()
    raise ConfigError(f"the pattern {pattern[:100]!r} cannot be used: {why}",
                      hint="write it without look-around and back references, or check in the code")  # fmt: skip


def _meant(piece: re.Match[str]) -> str:
    """A piece of a pattern as `re` means it: to the engine ``\\<`` begins a word, and ``[[a]&&b]`` is a set of sets."""
    within = re.sub(r"(?s)(\\.)|([\[&~])", lambda each: each[1] or "\\" + each[2], piece[3] or "")
    return piece[1] or piece[2] or f"[{within}"


def _states(pattern: str) -> int:
    """Ten a letter, as some stand for whole alphabets, and all of it as often as its groups are repeated."""
    size, times = 10 * len(pattern), 1
    for before, after in pairwise(pattern.split("{")):
        if count := re.match(r"(\d*),?(\d*)\}", after):
            most = max(int(count[1] or 0), int(count[2] or 0), 1)
            size, times = (size, min(times * most, _STATES)) if before[-1:] in ")*+?}" else (size + 20 * most, times)
    return size * times


# Stands where `jsonschema` asks about formats, so that patterns are read with the schema that holds them.
_PATTERNS = SimpleNamespace(check=lambda text, kind: kind == "regex" and isinstance(text, str) and _matcher(text))
_ENGINE: Any = {"type": "str", "regex_engine": "rust-regex"}
_EACH = {True: {"additionalProperties", "unevaluatedProperties"}, False: {"items", "contains", "unevaluatedItems"}}
_ALL: dict[str, Any] = {**Draft202012Validator.VALIDATORS}
_OWN = {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional,
        "uniqueItems": _unique, "unevaluatedItems": partial(_unevaluated, list),
        "unevaluatedProperties": partial(_unevaluated, dict)}  # fmt: skip
_extend: Any = validators.extend
_Validator = _extend(Draft202012Validator, {key: partial(_heard, each) for key, each in (_ALL | _OWN).items()})
_further, _Validator.evolve, _Validator.descend = _Validator.descend, _evolve, _descend
# `contains` asks for each entry again, and counts none of them.
_Validator.is_valid = lambda self, value: _spend(1) and next(self.iter_errors(value), None) is None
