"""``python -m gitu_core``, and what the script ``gitu`` runs: the commands of `cli` with those that `testing` adds."""

import sys

from gitu_core.cli.main import COMMANDS, main
from gitu_core.testing.commands import ADDED
from gitu_core.testing.workshop.commands import ADDED as FOR_AUTHORS

COMMANDS.update(ADDED)
COMMANDS.update(FOR_AUTHORS)

if __name__ == "__main__":
    sys.exit(main())
