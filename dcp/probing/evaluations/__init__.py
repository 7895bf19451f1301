"""The evaluations of a frozen encoder, one a file; `base.py` says what one is."""
