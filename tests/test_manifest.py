"""Manifests: what is written is what is read, and what cannot be is refused with file and next step."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitu_core.contracts import FACETS, SEAMS
from gitu_core.errors import IncompatibleError, ManifestError
from gitu_core.hookspecs import HOOKS
from gitu_core.manifest import Capabilities, Contribution, Manifest, SecretNeed, check_versions, parse, render
from gitu_core.testing.strategies import json_objects, names, texts

contributions = st.builds(Contribution, st.sampled_from(sorted(SEAMS)), names, description=texts, spec=json_objects)
capabilities = st.builds(
    Capabilities,
    facets=st.lists(st.sampled_from(FACETS), max_size=3).map(tuple),
    network=st.lists(names, max_size=2).map(tuple),
    secrets=st.lists(st.builds(SecretNeed, names, st.sampled_from(["injected", "revealed"]), st.booleans())).map(tuple),
    files=st.lists(texts, max_size=2).map(tuple),
    subprocess=st.booleans(),
)


def within_the_host(manifest: Manifest) -> Manifest:
    """*manifest*, inside the host where it offers what can only be offered there."""
    inside = any(not SEAMS[each.seam].crosses for each in manifest.contributes)
    return msgspec.structs.replace(manifest, isolation="host") if inside else manifest


manifests = st.builds(
    Manifest,
    id=st.from_regex(r"\A[a-z][a-z0-9_-]{0,20}\Z"),
    title=texts,
    start=st.sampled_from(["eager", "lazy"]),
    isolation=st.sampled_from(["host", "process"]),
    contracts=st.dictionaries(st.sampled_from(sorted(SEAMS)), st.integers(1, 9) | st.just("1-2"), max_size=3),
    hooks=st.dictionaries(st.sampled_from(sorted(HOOKS)), st.integers(-100, 100), max_size=3),
    contributes=st.lists(contributions, max_size=3).map(tuple),
    capabilities=capabilities,
    config=json_objects,
    state_version=st.integers(0, 9),
    priority=st.integers(0, 1000),
).map(within_the_host)


@settings(deadline=None)
@given(manifests)
def test_a_rendered_manifest_reads_back_as_itself(manifest: Manifest) -> None:
    """Nulls inside schemas, quotes, line ends and every character included."""
    assert parse(render(manifest)) == manifest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "id"),
        ("id = ", "Invalid value"),
        ("id = 7", "str"),
        ('id = "Bad Id"', "not a plugin id"),
        ('id = "a"\nhooks = {gitu_tool = 1}', "gitu_tool"),
        ('id = "a"\n[capabilities]\nfacets = ["htp"]', "htp"),
        ('id = "a"\n[[contributes]]\nseam = "tol"\nname = "x"', "tol"),
        ('id = "a"\n[[contributes]]\nseam = "dispatcher"\nname = "x"', "dispatcher 'x' can only .* inside the host"),
        ('id = "a"\nstart = "later"', "later"),
        ('id = "a"\n[config]\nschema = "{"', "manifest|truncated"),
        ('id = "a"\n[config]\nschema = "[1]"', "object"),
        ('id = "a"\nx = ' + "[" * 5000, "manifest"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(text: str, words: str) -> None:
    """The error names the file and the next step."""
    with pytest.raises(ManifestError, match=words) as caught:
        parse(text, "somewhere/gitu-plugin.toml")
    assert "somewhere/gitu-plugin.toml" in str(caught.value)
    assert caught.value.hint


def test_a_misspelled_name_gets_a_suggestion() -> None:
    """The nearest that exists."""
    with pytest.raises(ManifestError, match="did you mean 'gitu_tools'"):
        parse('id = "a"\nhooks = {gitu_tool = 1}')


@pytest.mark.parametrize("wanted", [1, "1", "1-2", "1-1"])
def test_versions_that_fit(wanted: Any) -> None:
    """A number or a range that holds this host's version."""
    check_versions(Manifest("a", contracts={"tool": wanted}))


@pytest.mark.parametrize(
    ("name", "wanted", "hint"),
    [("tool", 2, "gitu-core"), ("tool", "2-3", "gitu-core"), ("tool", 0, "plugin a"), ("telepathy", 1, "gitu-core")],
)
def test_versions_that_do_not_fit(name: str, wanted: Any, hint: str) -> None:
    """The hint names what to upgrade."""
    with pytest.raises(IncompatibleError) as caught:
        check_versions(Manifest("a", contracts={name: wanted}))
    assert hint in caught.value.hint


def test_a_range_that_is_none() -> None:
    """Words where a number belongs."""
    with pytest.raises(ManifestError, match="neither a number nor a range"):
        check_versions(Manifest("a", contracts={"tool": "new"}))


def test_contributions_by_seam() -> None:
    """In their order."""
    each = (Contribution("tool", "a"), Contribution("page", "b"), Contribution("tool", "c"))
    assert Manifest("a", contributes=each).of("tool") == (each[0], each[2])


NEWER = """id = "a"
colour = "red"
[contracts]
tool = 1
[[contributes]]
seam = "tool"
name = "x"
cost = {small = 1}
[capabilities]
facets = ["kv"]
cameras = ["front"]
[[capabilities.secrets]]
name = "KEY"
rotates = true
[later]
extra = 1
"""


def test_what_a_newer_version_wrote_is_kept_and_written_again() -> None:
    """In every table that becomes a value; an author who writes the manifest again loses nothing."""
    manifest = parse(NEWER)
    assert manifest.extra == {"colour": "red", "later": {"extra": 1}}
    assert manifest.contributes[0].extra == {"cost": {"small": 1}}
    assert manifest.capabilities.extra == {"cameras": ["front"]}
    assert manifest.capabilities.secrets[0].extra == {"rotates": True}
    text = render(manifest)
    assert parse(text) == manifest
    assert 'colour = "red"' in text
    assert "[later]" in text


@pytest.mark.parametrize(
    "text", ["capabilities = 1", "contributes = 1", "contributes = [1]", "capabilities.secrets = 1"]
)
def test_a_table_that_is_none_is_refused_as_before(text: str) -> None:
    """Looking for unknown fields in it breaks nothing."""
    with pytest.raises(ManifestError, match="Expected"):
        parse(f'id = "a"\n{text}')
