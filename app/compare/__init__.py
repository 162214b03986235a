"""Runs side by side: which of them, what differs, what it came to and how sure that is.

chosen       the runs of a comparison, and the one that all others are set against
names        runs by their names in running text
comparison   the whole of it, put together from:
  settings   what they were asked to do
  results    their metrics beside the baseline's
  resources  what they cost
  recorded   which series they left
  verdict    what is best, and whether that is real, in a few sentences
effects      what each setting does, from runs that differ in nothing else
points       a series point by point

sides        whose answers stand side by side, and what each is set against
answers      a model's answers: facts of each in memory, texts in its run's file
marks        what is said of an answer at a glance, each with its rule
row_table    the rows of all sides in one order, with scores and gains
row_query    which rows, in which order
row_search   what only the texts of all rows can tell
rows         rows with their texts
words        words as a reader counts them
word_diff    an answer against the reference or another answer
"""
