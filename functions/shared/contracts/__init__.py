"""Formats and names that the functions and the command share.

The command has this folder as `event_pipelines.contracts`, by a link. Modules import only the
standard library and, relatively, each other.
"""
