"""The four agents of the pipeline, and the recovery that runs before them."""
