"""What servers say of their tools is made fit to be offered, or left out with the reason."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from gitu_core import Schema
from gitu_marketplace import toolbox
from gitu_marketplace.agent.agreed import Agreed, Server
from gitu_marketplace.agent.link import said

AGREED = Agreed("my-lamps", "my-lamps", servers={"house": Server("stdio", "lampd")})
PLAIN = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


def told(*tools: tuple[str, str, Any], server: str = "house") -> str:
    """What the command of a plugin prints."""
    import msgspec

    return json.dumps({server: {"tools": [msgspec.to_builtins(said(*each)) for each in tools]}})


def read(*tools: tuple[str, str, Any]) -> tuple[list[Any], list[str]]:
    """What is offered of these tools, and what is not."""
    left: list[str] = []
    return [each.spec for each in toolbox.read(told(*tools), AGREED, left.append)], left


def test_a_tool_is_offered_under_the_name_of_its_server_and_counts_as_acting() -> None:
    (spec,), left = read(("colour.of", "Tells\x1b[2J the\ncolour.", PLAIN))
    assert spec.name == "my_lamps_house_colour_of"
    assert spec.description == "Tells[2J the colour."
    assert spec.input_schema == PLAIN
    assert spec.acts
    assert spec.writers == {"": "outside"}
    assert left == []


@pytest.mark.parametrize(
    ("name", "schema", "why"),
    [
        ("a\x1b[2Jb", PLAIN, "its name has other characters"),
        ("a b", PLAIN, "its name has other characters"),
        ("", PLAIN, "its name has other characters"),
        ("ä", PLAIN, "its name has other characters"),
        ("x" * 129, PLAIN, "its name has other characters"),
        ("a", {"type": "string"}, "none of an object"),
        ("a", [], "none of an object"),
        ("a", {"type": "object", "properties": {"x": {"type": "nonsense"}}}, "its schema is none"),
        ("a", {"type": "object", "x": "y" * 20_000}, "too large"),
        ("a", {"type": "object", "properties": {"x": {"$ref": "http://a.example/x"}}}, "refers to another"),
        ("a", {"type": "object", "properties": {"x": {"$ref": "#/properties/x"}}}, "too deep"),
        ("a", {"type": "object", "properties": {"x": {"$ref": "#x"}}}, "refers to another"),
        ("a", {"type": "object", "anyOf": [{}], "properties": {"x": {"$ref": "#/anyOf/7"}}}, "not there"),
        ("a", {"type": "object", "properties": {"x": {"$ref": "#/$defs/y"}}}, "not there"),
        ("a", {"type": "object", "allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}},
         "too deep or too large"),
        ("a", {"type": "object", "$ref": "#/$defs/a0", "$defs": {
            f"a{at}": {"allOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 10} for at in range(6)} | {"a6": {}}},
         "too deep or too large"),
    ],
)  # fmt: skip
def test_a_hostile_tool_is_left_out(name: str, schema: Any, why: str) -> None:
    specs, left = read((name, "x", schema), ("good", "x", PLAIN))
    assert [each.name for each in specs] == ["my_lamps_house_good"]
    assert why in left[0]
    assert "\x1b" not in left[0]


def test_a_deep_schema_is_left_out() -> None:
    deep: Any = {"type": "object"}
    for _ in range(40):
        deep = {"type": "object", "properties": {"x": deep}}
    assert "too deep" in read(("a", "x", deep))[1][0]


def test_links_inside_are_followed_and_slow_checks_left_to_the_server() -> None:
    schema = {
        "type": "object", "$schema": "x", "$defs": {"Lamp": {"type": "object", "properties": {"pattern": {}}}},
        "properties": {"lamp": {"$ref": "#/$defs/Lamp"}, "name": {"type": "string", "pattern": "(a+)+$"},
                       "$ref": {"type": "string"}},
    }  # fmt: skip
    (spec,), _ = read(("a", "", schema))
    assert spec.input_schema == {"type": "object", "properties": {
        "lamp": {"type": "object", "properties": {"pattern": {}}}, "name": {"type": "string"},
        "$ref": {"type": "string"}}}  # fmt: skip
    assert spec.description == "a of the server house"


def fits(schema: Any, value: Any) -> bool:
    """Whether what is offered of a schema takes a value."""
    (spec,), _ = read(("a", "", {"type": "object", **schema}))
    return next(Schema(spec.input_schema).problems(value), None) is None


START, END = {"type": "string", "pattern": "^a"}, {"type": "string", "format": "date"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, {"x-a": 1}),
        ({"properties": {"x": {"oneOf": [START, END]}}}, {"x": "b"}),
        ({"properties": {"x": {"not": START}}}, {"x": "b"}),
        ({"properties": {"x": {}}, "if": {"properties": {"x": START}}, "then": {"required": ["y"]}}, {"x": "b"}),
        ({"properties": {"x": {"contains": START, "maxContains": 1}}}, {"x": ["a", "b"]}),
        ({"patternProperties": {"^x-": {}}, "unevaluatedProperties": False}, {"x-a": 1}),
    ],
)
def test_what_is_left_out_of_a_schema_makes_it_refuse_nothing_more(schema: Any, value: Any) -> None:
    assert fits(schema, value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"x": {"oneOf": [{"type": "number"}, {"type": "integer"}]}}}, {"x": 1}),
        ({"properties": {"x": {"oneOf": [START, END]}}}, {"x": 1}),
        ({"properties": {"x": {"not": {"type": "string"}}}}, {"x": "b"}),
        ({"properties": {"x": {"items": [{"type": "number"}, {"type": "string"}]}}}, {"x": [1, 2]}),
        ({"properties": {"x": {"minimum": 0, "exclusiveMinimum": True}}}, {"x": 0}),
        ({"properties": {"x": {"maximum": 0, "exclusiveMaximum": False}}}, {"x": 1}),
        ({"properties": {"a": {"type": "string"}, "x": {"$ref": "#/properties/a"}}}, {"x": 1}),
        ({"properties": {"x": {"$ref": "#/$defs/a~1b%20c/anyOf/0"}}, "$defs": {"a/b c": {"anyOf": [END]}}}, {"x": 1}),
    ],
)
def test_what_servers_write_in_any_draft_is_still_checked(schema: Any, value: Any) -> None:
    assert not fits(schema, value)


def test_names_that_are_too_long_or_the_same_twice() -> None:
    specs, left = read(
        (f"{'a' * 80}1", "x", PLAIN), (f"{'a' * 80}2", "x", PLAIN), ("a.b", "", PLAIN), ("a-b", "", PLAIN)
    )
    names = [each.name for each in specs]
    assert len(set(names)) == 3
    assert all(len(each) <= 64 for each in names)
    assert "two of one name" in left[0]


def test_ten_thousand_tools_are_bounded_and_quick() -> None:
    begun = time.monotonic()
    specs, left = read(*((f"t{number}", "x" * 900, PLAIN) for number in range(10_000)))
    assert len(specs) == toolbox.MOST
    assert len(left) == 10_000 - toolbox.MOST
    assert time.monotonic() - begun < 20


def test_a_server_that_was_silent_is_named() -> None:
    left: list[str] = []
    assert toolbox.read('{"house": {"trouble": "it did not answer"}}', AGREED, left.append) == ()
    assert left == ["server house: it did not answer"]
