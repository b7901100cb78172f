"""The load that a plan's settings can handle: a discrete-event model of the pipelines on AWS.

Needs only Python's standard library: no packages, network or credentials.
"""
