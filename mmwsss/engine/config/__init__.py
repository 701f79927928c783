"""Configs: reading them, and explaining what is wrong in one."""
