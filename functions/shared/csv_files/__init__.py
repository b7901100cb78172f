"""Reading of CSV files, for the functions and for `imports start --dry-run`.

Uses the standard library only, and is linked as `event_pipelines.csv_files`.
"""
