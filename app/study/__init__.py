"""A study: the runs of an experiment compared, and the report that writes itself from them. Pure, but for `sources`.

runs             the runs as a study sees them, gathered into configurations over their seeds
findings         matched comparisons: two configurations that differ in one factor
recommendations  what to take, what a budget buys, what to try next
text             every sentence, one rule each
report           the whole report in the API's shape
markdown         the same as a document
sources          where a study comes from: rows of the database
"""
