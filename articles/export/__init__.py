"""Copies of a snapshot's articles as files of another size, order and codec; with where they came from."""
