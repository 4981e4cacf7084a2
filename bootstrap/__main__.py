import os
import sys

# Run as a folder by an isolated interpreter, so nothing of the caller's environment is imported; what we need
# to import are `bootstrap` and `consumer.jars` of this very clone.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - quick to start

from bootstrap.main import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
