"""The commands that look after a stack, on one of their own."""
