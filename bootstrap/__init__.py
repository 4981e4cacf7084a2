"""Sets up what a command needs, with any Python 3.11+ and nothing but its standard library.

`run_kcl.sh` and `run_tests.sh` call it first (see `set_up.sh`). It prints shell assignments on stdout and its
progress on stderr; when everything is there already, it prints no progress and takes a few hundredths of a second.
"""
