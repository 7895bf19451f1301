"""`python -m dcp` is `dcp`."""

from dcp.cli import main

main()
