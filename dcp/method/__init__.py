"""The method: Algorithm 1 and its parts. Nothing here knows of files, machines or recipes."""
