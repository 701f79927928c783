"""What is refused before a stage starts, or before a training goes on."""
