"""Results from elsewhere: tables of finished runs, read and stored as runs."""
