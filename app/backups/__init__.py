"""Backups: a copy of everything while everything runs, and the way back."""
