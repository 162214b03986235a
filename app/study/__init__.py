"""A study: the runs of an experiment compared, and the report that writes itself from them.

runs             the runs as a study sees them, gathered into configurations over their seeds
findings         matched comparisons: two configurations that differ in one factor
correction       several comparisons at once: Holm's correction
intervals        how sure the change between two configurations is, rows and seeds
pareto           what is not beaten in quality, time and memory at once
overfitting      held-out loss at the end against its lowest
champion         the best configuration and how sure its lead is
recommendations  what to take, what a budget buys
next_steps       what to try next, each ready to launch
text             every sentence, one rule each
tables           the report's tables
report           the whole report in the API's shape
markdown, csv    the same as a document, and its table as raw numbers
sources, setup   where a study comes from: rows of the database; all else is pure
"""
