"""The commands: what each prints. The functions behind them take and return plain values."""
