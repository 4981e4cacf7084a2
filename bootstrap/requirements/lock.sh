#!/usr/bin/env bash
# Makes *.lock here from *.in: exact versions with the hashes of all files of every platform, no registry's address.
# What is locked stays as it is; `bootstrap/requirements/lock.sh --upgrade` takes the newest of everything. Needs `uv`.
set -euo pipefail
cd "$(dirname "$0")"

# What only graphics cards need and PyTorch runs without on a processor: 1.1 GB of 6. (It is linked with the rest.)
left_out=(triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cuda-cccl nvidia-nvtx)
constraints=()
for name in build runtime emulator dev training fuzz java node benchmarks peers readers; do
    case $name in benchmarks | peers | readers) constraints=() ;; esac # environments of their own, with older versions than ours
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
        --no-header --override overrides.txt "${left_out[@]/#/--no-emit-package=}" "${constraints[@]}" \
        --output-file "$name.lock" "$@" "$name.in"
    note="# Locked from bootstrap/requirements/$name.in by bootstrap/requirements/lock.sh: for every platform and Python 3.11 and later."
    printf '%s\n%s\n' "$note" "$(cat "$name.lock")" >"$name.lock"
    constraints+=(--constraint "$name.lock")
done
