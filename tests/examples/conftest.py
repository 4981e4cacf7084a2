"""The example needs PyTorch: only `./run_tests.sh training` installs it, and collects the tests that train."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("ARTICLES_TEST_TRAINING") else ["test_training.py"]
