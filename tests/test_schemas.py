"""`Schema`: says what `jsonschema` says, and is never held up by a schema or a value."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitu_core import Schema
from gitu_core.errors import ConfigError, ToolInputError

REF = "https://json-schema.org/draft/2020-12/schema"


def tower(levels: int, **more: Any) -> dict[str, Any]:
    """Two references a level: twice the work for each."""
    parts: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2, **more} for n in range(levels)}
    return {"$defs": parts | {f"d{levels}": {"type": "integer"}, "none": {}}, "$ref": "#/$defs/d0"}


def dependent(levels: int) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for n in range(levels):
        part = {"$ref": f"#/$defs/d{n + 1}"}
        parts[f"d{n}"] = {"dependentSchemas": {"a": part, "b": part}}
    return {"$defs": parts | {f"d{levels}": {}}, "$ref": "#/$defs/d0", "unevaluatedProperties": False}


def deep(levels: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(levels):
        made = {"items": made}
    return made


HOSTILE: dict[str, tuple[Any, Any]] = {
    "branches": (tower(30), "x"),
    "branches that name a dialect": (tower(30, **{"$schema": REF}), "x"),
    "long messages": (tower(30), "x" * 1_000_000),
    "branches that are false": ({"items": {"anyOf": [False] * 2_000}}, ["x" * 1_000_000] * 50),
    "dependent schemas": (dependent(30), {"a": 1, "b": 1}),
    "itself": ({"$ref": "#"}, 1),
    "itself, dynamically": ({"$dynamicAnchor": "a", "allOf": [{"$dynamicRef": "#a"}] * 2}, 1),
    "names": (tower(30) | {"propertyNames": {"$ref": "#/$defs/d0"}, "$ref": "#/$defs/none"}, {"x": 1}),
    "contains": (tower(30) | {"contains": {"$ref": "#/$defs/d0"}, "$ref": "#/$defs/none"}, ["x"]),
    "contains, and long lists of choices": ({"contains": {"enum": [*range(20_000), "x"]}}, ["x"] * 20_000),
    "contains, and long lists of names": (
        {"contains": {"dependentRequired": {f"p{n}": [] for n in range(5_000)}}},
        [{}] * 50_000,
    ),
    "a number that cannot be divided": ({"multipleOf": 0.1}, 10**400),
    "long lists of choices": (
        {"items": {"enum": [[1] * 5_000 + [n] for n in range(100)]}},
        [[1] * 5_000 + ["x"]] * 900,
    ),
    "repetitions that a text walks through": ({"items": {"pattern": "[ab]*a[ab]{500}c"}}, ["abba" * 1_000] * 5_000),
    "a schema of many parts": ({"properties": {f"p{n}": {"type": "string"} for n in range(60_000)}}, {}),
    "a schema that is deep": (deep(2_000), []),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_take_for_ever_is_refused_within_moments(name: str) -> None:
    schema, value = HOSTILE[name]
    began = time.thread_time()
    with pytest.raises(ToolInputError, match="too large or nested too deeply to be checked") as caught:
        list(Schema(schema, "tool x").problems(value))
    assert time.thread_time() - began < 3
    assert caught.value.hint


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 50_000 + "!"),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 5_000 + "!": 1}),
        ({"patternProperties": {"^(a+)+$": {}}, "unevaluatedProperties": False}, {"a" * 5_000 + "!": 1}),
        ({"uniqueItems": True}, [{"a": n} for n in range(5_000)] + [{"a": 4_999.0}]),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1] * 3_000),
        ({"$defs": {"a": {"$anchor": "a", "type": "null"}}, "items": {"$ref": "#a"}}, [1] * 100),
    ],
)
def test_what_could_take_for_ever_has_its_answer(schema: Any, value: Any) -> None:
    began = time.thread_time()
    assert next(Schema(schema).problems(value)).message
    assert time.thread_time() - began < 3


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("^(?=a)a", "look-around"),
        (r"(a)\1", "backreferences"),
        ("a{100}{100}{100}", "too large"),
        ("((a{50}){50}){50}", "too large"),
        ("(?x) (a {1000}) {1000}", "flag x"),
        ("a" * 5_001, "too large"),
        ("(a){9}" * 900, "too large"),
        ("[a", "unclosed"),
    ],
)
@pytest.mark.parametrize("word", ["pattern", "patternProperties"])
def test_a_pattern_that_cannot_be_used_is_named_when_its_schema_is_read(word: str, pattern: str, why: str) -> None:
    rule = {pattern: {}} if word == "patternProperties" else pattern
    with pytest.raises(ConfigError, match=why) as caught:
        Schema({"properties": {"a": {word: rule}}}, "tool x")
    assert repr(pattern[:100]) in caught.value.message
    assert "look-around" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "pattern",
    [
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$",
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$",
        r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$".replace("(?!$)", ""),
        r"^[A-Za-z0-9_.+-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,8}$",
        "^(nats|tls)://[^@/\\s]+$",
        "^.{1,200}$",
        r"^\S(.*\S)?$",
    ],
)
def test_patterns_that_people_write_are_taken(pattern: str) -> None:
    checks = Schema({"pattern": pattern})
    for text in ("a@b.example", "10.0.0.1", "2026-01-02T03:04", "é" * 20, "nats://here", "a b", " ", ""):
        assert (next(checks.problems(text), None) is None) == bool(re.search(pattern, text)), text


pieces = st.sampled_from([*"ab[]^-&~()|*<>.", r"\<", r"\>", r"\]", r"\[", r"\\", "&&", "~~", "[a-b]", "[^", r"\d"])


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, min_size=1, max_size=8).map("".join), st.text("ab[]<&~^-\\", max_size=3))
@pytest.mark.filterwarnings("ignore:Possible")
def test_signs_that_mean_more_to_the_engine_than_to_others_mean_what_the_library_says(pattern: str, text: str) -> None:
    try:
        expected = bool(re.search(pattern, text))
        checks = Schema({"pattern": pattern})
    except (re.error, ConfigError):
        return
    assert (next(checks.problems(text), None) is None) == expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^\<b\>$", "<b>"),
        ("^[^[]+$", "a"),
        ("^[a&&b]+$", "&a"),
        ("^[a~~b]+$", "~"),
        (r"^[]\[&]+$", "[]&"),
        (r"\\<", r"\<"),
    ],
)
def test_signs_that_stand_for_themselves_do(pattern: str, text: str) -> None:
    assert next(Schema({"pattern": pattern}).problems(text), None) is None
    assert next(Schema({"pattern": pattern}).problems(""), None) is not None


def test_what_is_wrong_in_a_schema_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"tool x: its JSON Schema is wrong at \$\.properties\.a\.type: 'nope'"):
        Schema({"properties": {"a": {"type": "nope"}}}, "tool x")


def test_a_schema_that_nobody_read_is_told_of_without_the_value() -> None:
    with pytest.raises(ConfigError, match="Unknown type 'nope'") as caught:
        list(Schema({"properties": {"a": {"type": "nope"}}}, configuration=True).problems({"a": "hidden"}))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "value", "fits"),
    [
        ("unevaluatedItems", {"a": 1}, True), ("unevaluatedProperties", [1], True), ("unevaluatedItems", [1], False),
        ("unevaluatedProperties", {"a": 1}, False), ("unevaluatedItems", "a", True),
    ],
)  # fmt: skip
def test_what_is_not_evaluated_is_of_the_kind_that_is_meant(rule: str, value: Any, fits: bool) -> None:
    assert (next(Schema({rule: False}).problems(value), None) is None) == fits


words = st.sampled_from(["a", "b", "ab", "ba1", "é", ""])
plain = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5]) | words
values = st.recursive(plain, lambda each: st.lists(each, max_size=4) | st.dictionaries(words, each, max_size=4))
patterns = st.sampled_from(["a", "^b", r"^\w$", r"\d", "(a|b)+", "^[ab]{1,2}"])


def _schemas(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    many = st.lists(part, min_size=1, max_size=3)
    named = st.dictionaries(words, part, max_size=3)
    singles = ["additionalProperties", "unevaluatedProperties", "items", "contains", "unevaluatedItems", "not", "if",
               "then", "else", "propertyNames"]  # fmt: skip
    rules: dict[str, Any] = {word: part for word in singles}
    rules |= {word: many for word in ("allOf", "anyOf", "oneOf", "prefixItems")}
    rules |= {"properties": named, "dependentSchemas": named, "pattern": patterns, "uniqueItems": st.booleans()}
    rules |= {"patternProperties": st.dictionaries(patterns, part, max_size=2), "const": values}
    rules |= {"enum": st.lists(values, min_size=1, max_size=3), "minLength": st.integers(0, 2)}
    rules |= {"type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])}
    rules |= {"required": st.lists(words, max_size=2, unique=True), "minimum": st.integers(-2, 2)}
    rules |= {"dependentRequired": st.dictionaries(words, st.lists(words, max_size=2, unique=True), max_size=2)}
    rules |= {"maxItems": st.integers(0, 3), "minContains": st.integers(0, 2), "maxContains": st.integers(0, 2)}
    rules |= {"$ref": st.sampled_from(["#/$defs/x", "#y"]), "$dynamicRef": st.just("#y")}
    return st.lists(st.sampled_from(sorted(rules)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: rules[name] for name in names})
    )


parts = st.recursive(st.booleans() | st.just({}), _schemas, max_leaves=8)


@settings(max_examples=400, deadline=None)
@given(parts, parts, values)
def test_it_says_what_the_library_says(part: Any, defined: Any, value: Any) -> None:
    schema = {
        "$defs": {"x": defined, "y": {"$dynamicAnchor": "y", "type": ["array", "object", "string"]}},
        "allOf": [part],
    }
    try:
        expected = jsonschema.Draft202012Validator(schema).is_valid(value)
    except RecursionError:
        with pytest.raises(ToolInputError):
            list(Schema(schema).problems(value))
        return
    assert (next(Schema(schema).problems(value), None) is None) == expected


def test_names_of_dialects_change_nothing_and_nothing_is_fetched() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"a": {"$ref": "#"}},
        "type": "object",
    }
    assert next(Schema(schema).problems({"a": {"a": 1}})).validator == "type"
    with pytest.raises(ConfigError, match="cannot be used"):
        list(Schema({"$ref": "http://127.0.0.1:9/schema"}).problems(1))


WAYS = {
    "tool arguments": """
from gitu_core.runtime.validate import Validators
from gitu_core.errors import GituError
try:
    Validators().check("tool x", SCHEMA, {"a": TEXT})
except GituError as error:
    print(error.code)
""",
    "structured output": """
from gitu_core.runtime.structured import read_data
from gitu_core.errors import GituError
import json
try:
    read_data(json.dumps({"a": TEXT}), SCHEMA, None)
except GituError as error:
    print(error.code)
""",
    "configuration": """
from gitu_core.config import Settings, plugin_config
from gitu_core.errors import GituError
from gitu_core.manifest import Manifest
SCHEMA["properties"]["a"]["default"] = TEXT
try:
    plugin_config(Manifest(id="x", config=SCHEMA), Settings(), {})
except GituError as error:
    print(error.code)
""",
}


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        (
            {"pattern": "^(a+)+$"},
            {"tool arguments": "tool_input", "structured output": "model", "configuration": "config"},
        ),
        (tower(30), {"tool arguments": "tool_input", "structured output": "model", "configuration": "config"}),
    ],
    ids=["pattern", "branches"],
)
@pytest.mark.parametrize("way", WAYS)
def test_no_plugin_holds_up_the_host_with_a_schema(way: str, rule: dict[str, Any], codes: dict[str, str]) -> None:
    """In a process of its own, which can be ended where it hangs."""
    schema = {"type": "object", "properties": {"a": {k: v for k, v in rule.items() if k != "$defs"}}}
    schema |= {"$defs": rule.get("$defs", {})}
    code = f"SCHEMA = {schema!r}\nTEXT = {'a' * 40 + '!'!r}\n{WAYS[way]}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.strip() == codes[way], done.stderr
