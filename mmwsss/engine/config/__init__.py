"""Reading configs, and explaining what is wrong with them."""
