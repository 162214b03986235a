"""Runs side by side: which of them, what differs, what it came to and how sure that is.

chosen       the runs of a comparison, and the one that all others are set against
names        runs by their names in running text
comparison   the whole of it, put together from:
  settings   what they were asked to do
  results    their metrics beside the baseline's
  resources  what they cost
  recorded   which series they left
  verdict    what is best, and whether that is real, in a few sentences
"""
