"""``python -m gitu_core``, and what the script ``gitu`` runs: the commands of `cli` with those that `testing` adds."""

import sys

from gitu_core.cli.main import COMMANDS, main
from gitu_core.testing.commands import ADDED

COMMANDS.update(ADDED)

if __name__ == "__main__":
    sys.exit(main())
