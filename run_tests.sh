#!/usr/bin/env bash
# Runs ruff, mypy and pytest, after setting up what they need. Its last line is pytest's.
set -euo pipefail
unset CDPATH
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
source "$root/bootstrap/set_up.sh"

usage() {
    cat <<'USAGE'
usage: ./run_tests.sh [PYTEST OPTION…]   ruff, strict types, then pytest: the whole default suite, or what the options choose

  ./run_tests.sh tests/articles          one folder        ./run_tests.sh -m 'not end_to_end'   without the real daemon
  ./run_tests.sh -n 0 -k chain           in one process    ./run_tests.sh --pdb -n 0            with a debugger

       ./run_tests.sh containers [PYTEST OPTION…]   docker-compose.yml, for real: needs an engine, takes minutes
       ./run_tests.sh simulate [OPTION…]            the consumer under random faults, thousands of schedules; --help
       ./run_tests.sh faults [PYTEST OPTION…]       the real daemon under long faults, minutes each: tests marked `soak`
       ./run_tests.sh readers [PYTEST OPTION…]      the files in DuckDB, Polars, Spark, Java …: 1.3 GB, and 5 of PyTorch
       ./run_tests.sh fuzz [--seconds 60]           mutated payloads into the decoder, led by coverage; --help
       ./run_tests.sh training [PYTEST OPTION…]     the training reader with PyTorch, Hugging Face, Arrow: installs 5 GB

TEST_PROCESSES sets how many tests run at a time (default: one for each core, at least 2 and at most 4).
USAGE
}

case ${1:-} in
    -h | --help)
        usage
        exit
        ;;
    simulate)
        set_up tests
        cd "$root"
        shift
        exec "$python" -P -m tests.simulation "$@"
        ;;
    fuzz)
        set_up fuzz
        cd "$root"
        shift
        exec "$python" -P -m tests.fuzz "$@"
        ;;
    training)
        [[ ${2:-} != -h && ${2:-} != --help ]] || exec "$root/run_tests.sh" --help
        set_up training
        cd "$root"
        export ARTICLES_TEST_TRAINING=1
        shift
        exec "$python" -P -m pytest --numprocesses 2 tests/training/adapters tests/examples "$@"
        ;;
    faults)
        [[ ${2:-} != -h && ${2:-} != --help ]] || exec "$root/run_tests.sh" --help
        set_up tests
        cd "$root"
        shift
        exec "$python" -P -m pytest -m soak --numprocesses 2 --dist load --durations 0 tests/end_to_end "$@"
        ;;
    readers)
        set_up readers
        cd "$root"
        export ARTICLES_TEST_READERS=1
        shift
        exec "$python" -P -m pytest "$@" tests/readers tests/jobs
        ;;
    containers)
        if ! docker info >/dev/null 2>&1 || ! docker compose version >/dev/null 2>&1; then
            printf 'run_tests.sh: no container engine with Compose answers (`docker info`, `docker compose version`)\n' >&2
            exit 2
        fi
        set_up tests
        cd "$root"
        export ARTICLES_TEST_CONTAINERS=1
        shift
        exec "$python" -P -m pytest -m containers --capture=no --verbose "${@:-tests/containers}"
        ;;
esac

ARTICLES_TESTS_BEGAN=$(date +%s)
export ARTICLES_TESTS_BEGAN
set_up tests
cd "$root"

failed=()
check() {
    local name=$1
    shift
    "$@" || failed+=("$name")
}
check ruff "$python" -P -m ruff check --quiet .
check 'ruff format' "$python" -P -m ruff format --check --quiet .
check mypy "$python" -P -m mypy
if ((${#failed[@]})); then
    printf 'run_tests.sh: %s failed; the tests were not run\n' "${failed[*]}" >&2
    exit 1
fi

cores=$(getconf _NPROCESSORS_ONLN)
processes=${TEST_PROCESSES:-$((cores < 2 ? 2 : cores > 4 ? 4 : cores))}
exec "$python" -P -m pytest --numprocesses "$processes" --dist loadgroup "$@"
