"""`event-pipelines reconcile` and `replay`: what a bucket holds against what became of it."""
