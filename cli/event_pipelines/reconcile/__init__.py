"""`event-pipelines reconcile` and `replay`: compare what a bucket holds with the outcomes."""
