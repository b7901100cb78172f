"""`event-pipelines reconcile` and `replay`: compare objects with outcomes, and send them again."""
