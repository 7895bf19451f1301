"""Probes: what frozen features are worth, during training and after it."""
