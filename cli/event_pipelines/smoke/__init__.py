"""`event-pipelines smoke`: sends a small object or item through each pipeline, and removes it."""
