"""``python -m gitu_core``."""

import sys

from gitu_core.cli.main import main

sys.exit(main())
