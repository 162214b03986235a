"""What the table of runs shows, part by part. Reads rows and files, never writes.

query       what its address asks for, and the addresses that ask for something else
filtering   the filter as chips and as a menu, and what is wrong with it
chooser     which columns there are
heads       what the columns are called, and how their cells are drawn
cells       what stands in them
saved       the views that were kept by name
view        the rows: each beside the run that it is seen against
highlights  the first screen in words: what runs, what is best, what has changed
"""
