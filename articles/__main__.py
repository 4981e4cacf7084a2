"""`python -m articles` is the console script `articles`."""

from __future__ import annotations

import sys

from articles.cli import main

if __name__ == "__main__":
    sys.exit(main())
