"""The commands over what is stored: each reads its arguments, calls the library beside it, and prints."""
