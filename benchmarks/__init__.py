"""Benchmarks: `python -m benchmarks` measures what dcp's documents claim about speed, prints a table and writes JSON.

A ratio is claimed only between two things measured in turn in one process. Every group of rows runs in a fresh
process, so that neither memory nor thread counts leak from one into another; on a GPU the trainings of dcp share one.
"""

import time

STARTED = time.monotonic()  # before torch is imported: that takes its share of the minutes
