"""How CSV files are read: one source for the functions and for `imports start --dry-run`.

Of the standard library alone, and linked as `event_pipelines.csv_files`.
"""
