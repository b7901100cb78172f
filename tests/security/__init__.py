"""Who may do what, proved on an engine of its own."""
