"""What determined a stage's result, what it produced, and whether that still holds."""
