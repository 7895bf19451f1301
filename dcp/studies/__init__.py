"""A study: many runs as one. From a recipe with [study] to its arms, their runs, and what they came to side by side."""
