"""What the page that compares runs shows.

query        what its address asks for, and the addresses that ask for something else
"""
