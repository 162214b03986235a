"""The try-out page: form reads what was typed, view is what the templates are given, side a column of answers."""
