"""The table of runs: its columns, its filters, which rows compare, and how they are ranked."""
