"""Data sets: how a file becomes rows, how rows are split, and what is known of them before a run."""
