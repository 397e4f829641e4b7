"""The parts of the console without a browser: forms out of schemas, tables, charts, words, files."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from markupsafe import Markup
from pydantic import BaseModel, Field, SecretStr, WithJsonSchema

import gitu_web
from gitu_core.contracts import Block
from gitu_web.console import charts, fields, render
from gitu_web.console.icons import ICONS
from gitu_web.console.routes import PAGES, in_host
from gitu_web.console.texts import ENGLISH, for_scripts
from gitu_web.visitor import Visitor

PACKAGE = Path(gitu_web.__file__).parent
EVIL = "\"'><script>alert(1)</script>"
SCHEMA: dict[str, Any] = {
    "type": "object", "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 5}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "share": {"type": "number"}, "on": {"type": "boolean"}, "pick": {"enum": [1, "two"]},
        "list": {"type": "array", "items": {"type": "string"}}, "map": {"type": "object"},
        "secret": {"type": "string", "writeOnly": True},
    },
}  # fmt: skip


def page(*blocks: Block, foreign: bool = True) -> str:
    """What the browser gets of blocks."""
    visitor = Visitor("local", "d1", "here", "browser", frozenset({"chat"}), "token")
    found = render.html("page.html", "A page", 200, visitor, url="/x", flash="", tone="",
                        blocks=render.shown(blocks, foreign=foreign))  # fmt: skip
    assert "script-src" not in found.headers["content-security-policy"]
    assert found.headers["content-security-policy"].startswith("default-src 'self'")
    return bytes(found.body).decode()


def test_a_form_gives_values_that_fit_its_schema() -> None:
    typed = {
        "name": "Ana",
        "age": "7",
        "share": "0.5",
        "on": "on",
        "pick": '"two"',
        "list": "a\n\n b ",
        "map": '{"x": 1}',
    }
    values, errors = fields.read(SCHEMA, typed)
    assert errors == {}
    assert values == {
        "name": "Ana",
        "age": 7,
        "share": 0.5,
        "on": True,
        "pick": "two",
        "list": ["a", "b"],
        "map": {"x": 1},
    }
    assert fields.read(SCHEMA, {"name": "Ana"})[0] == {"name": "Ana", "on": False}


class Lamp(BaseModel):
    """As authors write configurations."""

    watts: int | None = Field(None, ge=1)
    share: float = 1.0
    tried: bool | None = None
    shade: Literal["round", "square"] | None = None
    rooms: list[str] | None = None
    port: int | str = 1
    pin: SecretStr | None = Field(None, json_schema_extra={"writeOnly": True})
    inner: Lamp | None = None
    either: Annotated[dict[str, int], WithJsonSchema({"type": "object", "anyOf": [{"required": ["a"]}]})] = {}


def test_a_form_of_a_pydantic_model_takes_what_is_optional() -> None:
    schema = Lamp.model_json_schema()["$defs"]["Lamp"] | {"$defs": Lamp.model_json_schema()["$defs"]}
    kinds = {each.name: each.kind for each in fields.fields_of(schema, {})}
    assert kinds == {"watts": "number", "share": "number", "tried": "select", "shade": "select", "rooms": "lines",
                     "port": "text", "pin": "password", "inner": "json", "either": "json"}  # fmt: skip
    typed = {"watts": "7", "share": "0.5", "tried": "false", "shade": '"round"', "rooms": "a\nb", "port": "80",
             "pin": "1234", "inner": '{"watts": 3}'}  # fmt: skip
    assert fields.read(schema, typed) == (
        {"watts": 7, "share": 0.5, "tried": False, "shade": "round", "rooms": ["a", "b"], "port": 80, "pin": "1234",
         "inner": {"watts": 3}}, {})  # fmt: skip
    assert fields.read(schema, {"port": "com1", "tried": ""}) == ({"port": "com1"}, {})
    errors = fields.read(schema, {"watts": "many", "inner": '{"watts": 0}', "pin": "x"})[1]
    assert list(errors) == ["watts", "inner"]
    shown = {each.name: each.value for each in fields.fields_of(schema, {"port": 80, "watts": 7, "tried": False})}
    assert (shown["port"], shown["watts"], shown["tried"]) == ("80", "7", "false")


@pytest.mark.parametrize("part", [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/none"}, {"anyOf": 7}, {"oneOf": []},
                                  {"type": []}, {"type": [["x"]]}, {"anyOf": [[], 1]}, {"$ref": []}])  # fmt: skip
def test_a_property_that_leads_nowhere_is_a_field_all_the_same(part: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"x": part}, "$defs": {"a": {"$ref": "#/$defs/a"}, "b": 7}}
    (field,) = fields.fields_of(schema, {"x": {"y": 1}})
    assert field.kind == "text"
    fields.read(schema, {"x": "words"})
    fields.fields_of({**schema, "$defs": [part]}, {})


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({}, "name", "needed"),
        ({"name": "too long"}, "name", "too long"),
        ({"name": "a", "age": "x"}, "age", "whole number"),
        ({"name": "a", "age": "1.5"}, "age", "whole number"),
        ({"name": "a", "age": "151"}, "age", "150"),
        ({"name": "a", "share": "nan?"}, "share", "number"),
        ({"name": "a", "map": "{"}, "map", "JSON"),
        ({"name": "a", "map": "[" * 100_000}, "map", "JSON"),
        ({"name": "a", "pick": '"three"'}, "pick", "three"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(typed: dict[str, str], field: str, words: str) -> None:
    errors = fields.read(SCHEMA, typed)[1]
    assert list(errors) == [field]
    assert words in errors[field]


def test_a_form_that_would_be_checked_for_ever_is_an_error() -> None:
    """In a process of its own, which can be ended where it hangs."""
    code = (
        "from gitu_web.console import fields\n"
        "defs = {f'a{n}': {'anyOf': [{'$ref': f'#/$defs/a{n + 1}'}] * 2} for n in range(40)}\n"
        "defs |= {'a40': {'type': 'null'}}\n"
        "for rule in ({'pattern': '^(a+)+$'}, {'$ref': '#/$defs/a0'}):\n"
        "    schema = {'type': 'object', '$defs': defs, 'properties': {'a': {'type': 'string', **rule}}}\n"
        "    print([*fields.read(schema, {'a': 'a' * 40 + '!'})[1]])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.split() == ["['a']", "['']"], done.stderr


def test_a_schema_that_is_none_or_points_elsewhere_is_an_error_and_no_request() -> None:
    for bad in ({"type": "object", "properties": {"a": {"type": 7}}},
                {"type": "object", "properties": {"a": {"$ref": "https://example.org/schema"}}}):  # fmt: skip
        assert list(fields.read(bad, {"a": "x"})[1]) == [""]
    assert fields.fields_of({"properties": []}, {}) == []  # type: ignore[dict-item]
    assert fields.read({"properties": {"a": True}}, {"a": "x"}) == ({"a": "x"}, {})


def test_a_secret_is_never_sent_back() -> None:
    (field,) = [each for each in fields.fields_of(SCHEMA, {"secret": "hidden-word"}) if each.name == "secret"]
    assert (field.kind, field.value) == ("password", "")
    assert "hidden-word" not in page(Block("form", "", {"schema": SCHEMA, "values": {"secret": "hidden-word"}}, "save"))


def test_markup_is_words_unless_its_plugin_is_trusted() -> None:
    block = Block("html", "", {"html": "<em>a</em>"})
    assert isinstance(render.shown([block], foreign=True, trusted=True)[0]["data"]["html"], Markup)
    assert "<em>" not in page(block)
    assert "&lt;em&gt;a" in page(block)


def test_who_claims_the_id_of_another_plugin_makes_it_no_trusted_one() -> None:
    mine = {"id": "lamp", "state": "enabled", "isolation": "process"}
    other = {"id": "lamp", "state": "duplicate", "isolation": "host"}
    assert not in_host([mine, other], "lamp")
    assert not in_host([other, mine], "lamp")
    assert not in_host([other], "lamp")
    assert in_host([other, mine | {"isolation": "host"}], "lamp")


def test_whatever_a_plugin_gives_is_text() -> None:
    row = {
        "a": EVIL,
        "actions": [{"action": EVIL, "title": EVIL, "values": {EVIL: EVIL}, "href": "javascript:alert(1)"}],
    }
    schema = {"properties": {EVIL: {"title": EVIL, "description": EVIL, "default": EVIL, "type": "string"},
                             "b": {"enum": [EVIL]}, "c": {"type": "integer", "minimum": EVIL}}}  # fmt: skip
    html = page(
        Block("text", EVIL, {"text": EVIL, "tone": EVIL}),
        Block("table", EVIL, {"columns": [{"key": "a", "title": EVIL}], "rows": [row], "empty": EVIL}),
        Block("form", EVIL, {"schema": schema, "submit": EVIL, "hidden": {EVIL: EVIL}}, EVIL),
        Block("action", EVIL, {"title": EVIL, "confirm": EVIL, "values": {EVIL: EVIL}}, EVIL),
        Block("chart", EVIL, {"labels": [EVIL], "series": [{"name": EVIL, "values": [1]}], "unit": EVIL}),
    )
    assert "<script>alert" not in html
    assert "javascript:" not in html
    assert len(re.findall(r"<script\b", html)) == 2  # those of the layout
    assert not re.search(r"<[^>]*\son\w+=", html)


@pytest.mark.parametrize(
    "block",
    [
        Block("text", "", {"text": 7}),
        Block("table", "", {"columns": "x", "rows": {"a": 1}}),
        Block("table", "", {"columns": [{"key": "a"}, 3], "rows": [{"a": {"b": [1]}, "actions": "none"}, None]}),
        Block("form", "", {"schema": "x", "values": 3, "hidden": []}, "a"),
        Block(
            "form",
            "",
            {"schema": {"properties": {"a": None, "b": {"enum": 3}, "c": {"type": ["string", "null"]}}}},
            "a",
        ),
        Block("action", "", {"values": "x"}, "a"),
        Block(
            "chart", "", {"labels": ["a"], "series": [{"values": "x"}, 3, {"values": [float("nan"), -1, "x", 1e400]}]}
        ),
        Block("chart", "", {}),
    ],
)
def test_what_is_no_block_is_shown_as_well_as_it_goes(block: Block) -> None:
    assert "<section" in page(block)


def test_bars_reach_up_to_their_values_and_say_them() -> None:
    drawing = charts.svg({"labels": ["mon", "tue"], "series": [{"name": "USD", "values": [1, 2]}], "unit": "$"}, "Cost")
    heights = [float(each) for each in re.findall(r'class="bar s0"[^>]* height="([\d.]+)"', drawing)]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    assert 'role="img"' in drawing
    assert "<title>tue: 2 $ USD</title>" in drawing


@pytest.mark.parametrize("bars", [1, 2, 30, 120])
def test_words_below_the_bars_stay_inside_and_apart_on_every_screen(bars: int) -> None:
    labels = [f"provider/a-model-{number}" for number in range(bars)]
    drawing = charts.both({"labels": labels, "series": [{"name": "x", "values": [1] * bars}]}, "Use")
    assert drawing.count('role="img"') == 2
    for width, part in zip((charts.WIDTH, charts.NARROW), drawing.split("</svg>"), strict=False):
        end = 0.0
        for x, words in re.findall(r'x="([\d.]+)" y="212" text-anchor="middle">([^<]+)<', part):
            half = len(words) * charts.LETTER / 2
            assert end <= float(x) - half <= float(x) + half <= width + 0.1
            end = float(x) + half - 0.1


def test_what_comes_from_elsewhere_is_what_its_table_says() -> None:
    folder = PACKAGE / "_vendor"
    told = {"VENDOR.toml"}
    for each in tomllib.loads((folder / "VENDOR.toml").read_text("utf-8"))["file"]:
        assert all(each[name] for name in ("package", "version", "licence", "why")), each
        assert hashlib.sha256((folder / each["name"]).read_bytes()).hexdigest() == each["sha256"], each["name"]
        assert (folder / each["licence_file"]).stat().st_size > 500
        told |= {each["name"], each["licence_file"]}
    assert told == {each.name for each in folder.iterdir()}


def test_every_word_is_used_and_every_word_that_is_used_is_there() -> None:
    source = "".join(each.read_text("utf-8") for folder in ("console", "static", "auth")
                     for each in (PACKAGE / folder).rglob("*") if each.suffix in (".py", ".html", ".js")
                     and each.name != "texts.py")  # fmt: skip
    named = set(re.findall(r"""(?:\bsay|\bt|\btold)\(\s*["']([a-z_.]+)["']""", source))
    named |= set(re.findall(r"""["']([a-z]+\.[a-z_]+)["']""", source)) & set(ENGLISH)
    assert named - set(ENGLISH) == set()
    parts = set(re.findall(r"""["']([a-z_]+)["']""", source))
    made = {name for name in ENGLISH if re.match(r"(page|chat\.choice|plugins|people|word)\.", name)
            or (name.split(".")[0] in ("head", "fact", "wrong", "settings")
                and name.split(".")[1].removesuffix("_next").removesuffix("_about") in parts)}  # fmt: skip
    assert set(ENGLISH) - named - made == set()
    assert all(name.startswith(("chat.", "devices.", "error.", "pair.")) for name in for_scripts())


# ---- all words stand in texts.py -------------------------------------------------------------------------------

SENTENCE = re.compile(r"[A-Za-z]{2,},? [a-z]{2,}|^[A-Z][a-z]+$")
"""What looks like words for people: two words, or one that begins large."""

NO_WORDS = {
    "POLICY", "HEADERS", "FOR_EVER", "names", "systems",  # names of settings that browsers know, and of browsers
    "policy", "headers", "ICONS", "bad",  # and states that the core has
}  # fmt: skip


class Texts(HTMLParser):
    """The words of a template, outside of what is filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes are read out, or shown."""
        self.code = tag in ("code", "script")
        shown = ("aria-label", "placeholder", "title", "alt")
        self.found += [value for name, value in attrs if name in shown and value]

    def handle_endtag(self, tag: str) -> None:
        """Commands are no words."""
        self.code = False

    def handle_data(self, data: str) -> None:
        """What stands on the page."""
        self.found += [] if self.code else [data]


def words_of_template(text: str) -> list[str]:
    """The words in a template that are not filled in."""
    reader = Texts()
    reader.feed(re.sub(r"{{.*?}}|{%.*?%}|{#.*?#}", "", text, flags=re.DOTALL))
    return [each.strip() for each in reader.found if re.search(r"[A-Za-z]{2}", each)]


def words_of_module(text: str) -> list[str]:
    """The strings of a module that look like words for people."""
    tree, silent = ast.parse(text), set[int]()
    for node in ast.walk(tree):
        named = isinstance(node, ast.Assign) and {each.id for each in node.targets if isinstance(each, ast.Name)}
        described = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Operation"
        documented = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if (named and named & NO_WORDS) or described or documented:
            silent |= {id(each) for each in ast.walk(node)}
    strings = [each.value for each in ast.walk(tree) if isinstance(each, ast.Constant) and id(each) not in silent]
    return [
        each for each in strings if isinstance(each, str) and SENTENCE.search(re.sub(r"<[^>]*>?|^[^<]*>", "", each))
    ]


def words_of_script(text: str) -> list[str]:
    """The strings of a script that it shows or has read out."""
    string = r"""("[^"]*"|'[^']*'|`[^`]*`)"""
    shown = (rf'make\(\s*"[a-z0-9]+",\s*"[^"]*",\s*{string}', rf"(?:textContent|placeholder|title|alt)\s*=\s*{string}",
             rf'setAttribute\("(?:aria-label|title|alt)",\s*{string}')  # fmt: skip
    found = [each for pattern in shown for each in re.findall(pattern, text)]
    return [each for each in found if re.search(r"[A-Za-z]{2}", re.sub(r"\$\{.*?\}", "", each))]


def test_all_words_for_people_stand_in_one_place() -> None:
    readers = {".html": words_of_template, ".py": words_of_module, ".js": words_of_script}
    files = [*(PACKAGE / "console").rglob("*"), *(PACKAGE / "static").iterdir(), PACKAGE / "auth" / "browser.py"]
    found = {each.name: readers[each.suffix](each.read_text("utf-8")) for each in files
             if each.suffix in readers and each.name != "texts.py"}  # fmt: skip
    assert len(found) > 20
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (words_of_template, '<p class="a b">{{ t("x") }}</p><img alt="A cat">', ["A cat"]),
        (words_of_template, "<dt>Name</dt>", ["Name"]),
        (words_of_module, 'def f():\n    """Says it."""\n    return table({"name": "Channel"})', ["Channel"]),
        (words_of_module, 'raise InputError(f"there is no {name}")', ["there is no "]),
        (words_of_script, 'make("p", "note", "Hello"); make("p", "note", say("x"))', ['"Hello"']),
        (words_of_script, 'a.setAttribute("aria-label", "Close"); a.textContent = `${x}`', ['"Close"']),
    ],
)
def test_words_elsewhere_would_be_found(read: Any, text: str, words: list[str]) -> None:
    assert read(text) == words


def test_every_page_has_a_name_and_a_drawing() -> None:
    for name in PAGES:
        assert ENGLISH[f"page.{name}"]
        assert name in ICONS
