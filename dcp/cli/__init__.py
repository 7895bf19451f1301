"""The command line: one file a command. The functions behind them take and return plain values."""
