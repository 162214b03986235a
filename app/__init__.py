"""Tuneboard's shared domain, and under `web/` its only HTTP.

settings     every environment variable and option
run_config   what a run is asked to do: one frozen model for form, API, queue and training
status       the five states of a run and the allowed ways between them
metrics      the catalogue: name, label, unit, direction
rows, split  what a row of a data set is, and which rows are held out
models, db   the tables, and how SQLite is spoken to
errors       what can go wrong, each with its HTTP status
runs, claims, experiments, datasets, leaderboard, ...   plain functions that take a Session
queue        the Celery app: both ends' settings
web          pages and REST
"""

__version__ = "0.1.0"
