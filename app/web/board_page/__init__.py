"""What the table of runs shows, part by part. Reads rows and files, never writes.

query       what its address asks for, and the addresses that ask for something else
view        its rows: each beside the run that it is seen against
highlights  the first screen in words: what runs, what is best, what has changed
"""
