"""The ways out of a run: features of images as files, and the encoder in the formats of other libraries."""
