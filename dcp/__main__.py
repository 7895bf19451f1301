"""`python -m dcp` is `dcp`."""

import sys

try:
    from dcp.cli.app import main

    main()
except KeyboardInterrupt:  # before any command had begun
    sys.exit(130)
