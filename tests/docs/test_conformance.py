"""Every law of the contracts has a test in its kit, and the page of the kits links each law to its tests."""

from __future__ import annotations

import re

import pytest

from gitu_core.testing import conformance
from tests.docs.laws import KITS, LETTERS, by_law, laws
from tests.docs.test_reference import page, sections


@pytest.mark.parametrize("seam", KITS)
def test_every_law_has_a_test_and_every_test_a_law(seam: str) -> None:
    stated = {law for law in laws() if law[0] == LETTERS[seam]}
    assert stated
    assert set(by_law(KITS[seam])) == stated


def test_every_law_belongs_to_a_seam_with_a_kit() -> None:
    assert {law[0] for law in laws()} == {*LETTERS.values()}


@pytest.mark.parametrize("seam", KITS)
def test_the_page_links_each_law_to_its_tests(seam: str) -> None:
    body = sections(page("conformance.md"))[seam]
    listed: dict[str, list[tuple[str, str]]] = {}
    for law, links in re.findall(r"(?m)^\* \*\*([A-Z]\d+)\*\*((?:.*\n)(?:  .+\n)*)", f"{body}\n"):
        listed[law] = [(name, file) for name, file in re.findall(r"\[`?(\w+)`?\]\(\.\./([\w/.]+)\)", links)]
    assert listed == by_law(KITS[seam])
    assert KITS[seam].__name__ in body


def test_the_page_names_everything_that_the_package_offers() -> None:
    missing = [name for name in conformance.__all__ if not re.search(rf"\b{name}\b", page("conformance.md"))]
    assert missing == []


def test_a_law_without_a_test_is_found() -> None:
    class Less(conformance.EmbedderLaws):
        pass

    assert set(by_law(Less)) == {"E1"}
    assert by_law(object) == {}
