#!/usr/bin/env bash
# Measures the consumer against what people would write, after setting up what that needs.
set -euo pipefail
unset CDPATH
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
source "$root/bootstrap/set_up.sh"

set_up demo
cd "$root"
exec "$python" -P -m benchmarks "$@"
