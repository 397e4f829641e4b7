"""``python -m gitu_core.cli``."""

import sys

from gitu_core.cli.main import main

sys.exit(main())
