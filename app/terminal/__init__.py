"""What the `tuneboard` command does and prints."""
