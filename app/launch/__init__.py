"""What is known before a launch: base models, presets, checks, costs."""
