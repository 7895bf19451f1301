"""`python -m dcp` is `dcp`."""

from dcp.cli.app import main

main()
