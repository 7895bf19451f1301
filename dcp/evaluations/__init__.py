"""The evaluations of a frozen encoder: each file here is one, and `dcp.evaluation` says what they share."""
