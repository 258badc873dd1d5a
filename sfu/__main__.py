"""``python -m sfu`` is the command line."""

import sys

from sfu.server.cli import main

sys.exit(main())
