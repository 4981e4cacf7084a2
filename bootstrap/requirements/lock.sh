#!/usr/bin/env bash
# Makes *.lock here from *.in: exact versions with the hashes of all files of every platform, no registry's address.
# What is locked stays as it is; `bootstrap/requirements/lock.sh --upgrade` takes the newest of everything. Needs `uv`.
set -euo pipefail
cd "$(dirname "$0")"

constraints=()
for name in build runtime emulator dev fuzz java node benchmarks; do
    [[ $name != benchmarks ]] || constraints=() # an environment of its own, with an older boto3 than a worker's
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
        --no-header "${constraints[@]}" --output-file "$name.lock" "$@" "$name.in"
    note="# Locked from bootstrap/requirements/$name.in by bootstrap/requirements/lock.sh: for every platform and Python 3.11 and later."
    printf '%s\n%s\n' "$note" "$(cat "$name.lock")" >"$name.lock"
    constraints+=(--constraint "$name.lock")
done
