"""Every example runs by itself, offline, and prints what stands in ``expected/``."""

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, fits
from tests.docs.shell import Shell

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
EXPECTED = Path(__file__).parent / "expected"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_prints_what_is_expected(example: Path, tmp_path: Path) -> None:
    status, printed = Shell(tmp_path).run(f"python '{example}'")
    assert status == 0, printed
    expected = (EXPECTED / f"{example.stem}.txt").read_text("utf-8")
    assert fits(expected, printed), printed


def test_every_example_has_an_expectation_and_every_expectation_an_example() -> None:
    assert {file.stem for file in EXPECTED.glob("*.txt")} == {example.stem for example in EXAMPLES}
