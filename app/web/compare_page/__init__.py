"""What the page that compares runs shows.

query        what its address asks for, and the addresses that ask for something else
view         everything that the templates are given
forest       the interval plots, as places along a line
table        the cells of settings, results and costs
"""
