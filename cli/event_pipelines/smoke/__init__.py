"""`event-pipelines smoke`: one small object or item through each pipeline, and away again."""
