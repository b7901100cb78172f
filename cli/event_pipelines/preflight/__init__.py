"""`event-pipelines preflight`: checks before an apply what an account would refuse."""
