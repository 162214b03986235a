"""Runs side by side: which of them, what differs, what it came to and how sure that is.

chosen       the runs of a comparison, and the one that all others are set against
"""
