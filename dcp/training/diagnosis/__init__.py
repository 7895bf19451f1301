"""Diagnosis: what state a training is in, the evidence, its likely cause, and what to try next. No torch."""
