"""Tuneboard's shared domain, and under `web/` its only HTTP.

settings     every environment variable and option
run_config   what a run is asked to do: one frozen model for form, API, queue and training
status       the states of a run and the allowed ways between them
metrics      the catalogue: name, label, unit, direction
models, db   the tables, and how SQLite is spoken to
errors       what can go wrong, each with its HTTP status
runs, claims, experiments, errands, ...   plain functions that take a Session
data         data sets: rows, splits, tokens
launch       what is known before a launch: base models, checks, forecasts
board        the table of runs: columns, filters, ranking
compare      runs side by side, and their answers row by row
study        the report that writes itself
statistics   scores of answers, and how sure a difference is; pure
queue        the Celery app: both ends' settings
web          pages and REST
"""

__version__ = "0.1.0"
