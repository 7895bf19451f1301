"""The pages, and what writes some of them: `python -m docs.pages`."""
