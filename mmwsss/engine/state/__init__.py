"""What decided a stage, what it gave, and whether that still holds."""
