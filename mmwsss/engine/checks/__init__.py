"""Checks before a stage starts or a training resumes."""
