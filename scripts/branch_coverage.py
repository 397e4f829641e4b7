"""Read coverage.json and fail when the tests reach too few of the core's branches."""

import json
import sys
from pathlib import Path

REQUIRED = 90.0  # per cent


def main() -> int:
    """Print the share of branches reached; return 1 when it is too small."""
    totals = json.loads(Path("coverage.json").read_text("utf-8"))["totals"]
    branches, reached = totals["num_branches"], totals["covered_branches"]
    share = 100 * reached / branches if branches else 100.0
    print(f"branches of the core: {reached} of {branches} reached, {share:.1f} % (required {REQUIRED:.0f} %)")
    return int(share < REQUIRED)


if __name__ == "__main__":
    sys.exit(main())
