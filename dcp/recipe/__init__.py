"""Recipes: from TOML to layers, a checked tree, and the objects that it describes."""
