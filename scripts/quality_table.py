"""Check every plugin of this repository in full and write their tiers into docs/quality.md.

Runs the plugins' tests; takes some minutes. With ``--check`` nothing is written, and the status is 1 where the page
says something else.
"""

import sys
import tempfile
from pathlib import Path

from gitu_core.testing.workshop.check import check
from gitu_core.testing.workshop.shapes import Result

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "quality.md"
BEGIN, END = "<!-- tiers -->\n", "<!-- end of tiers -->\n"


def table(results: list[Result]) -> str:
    """The table of the page."""
    lines = ["| Plugin | Tier | Not kept | Exempt |", "|---|---|---|---|"]
    for each in results:
        cells = [
            ", ".join(f"`{found.rule}`" for found in each.rules if found.status in kinds) or "-"
            for kinds in (("failed", "unchecked"), ("exempt",))
        ]
        lines.append(f"| `{each.plugin}` | {each.tier or 'none'} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the table or compare it."""
    results = []
    for folder in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        with tempfile.TemporaryDirectory() as scratch:
            results.append(check(str(folder.parent), Path(scratch)))
        print(f"{results[-1].plugin}: {results[-1].tier or 'none'}", file=sys.stderr)
    head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    before, _, tail = rest.partition(END)
    made = f"\n{table(results)}\n"
    if "--check" in sys.argv:
        return int(before != made)
    PAGE.write_text(head + BEGIN + made + END + tail, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
