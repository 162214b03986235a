"""The page of answers row by row: what its address asks for, and what it shows."""
