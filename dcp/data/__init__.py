"""Images: what is read, in which order, and which views of it."""
