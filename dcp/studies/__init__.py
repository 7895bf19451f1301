"""A study: many runs as one. From a recipe with [study] to its arms, their runs, and what they came to side by side."""

from dcp.studies.reading import Arm, Study, is_study, read

__all__ = ["Arm", "Study", "is_study", "read"]
