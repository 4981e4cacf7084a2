#!/usr/bin/env bash
# Starts one worker, or with `demo` everything locally. Sets up what it needs first; ends as the daemon's own process.
set -euo pipefail
unset CDPATH
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
source "$root/bootstrap/set_up.sh"

usage() {
    cat <<'USAGE'
usage: ./run_kcl.sh [OPTION…]        start one worker: the Kinesis Client Library's daemon, with settings from the environment
       ./run_kcl.sh demo [OPTION…]   run everything locally: emulator, workers, articles, and the proof that all were stored
       ./run_kcl.sh chaos [OPTION…]  the same under attack: kills, stops, reshards, faults of S3 and DynamoDB; and the proof
       ./run_kcl.sh status           what the worker with these settings is doing, and its own average (--json)
       ./run_kcl.sh --help           this; `./run_kcl.sh worker --help` and `./run_kcl.sh demo --help` list the options

The first run sets everything up in .venv (Python 3.11+ is needed; Java 17+ and Node 20+ are used where they are there).
USAGE
}

case ${1:-worker} in
    -h | --help | help)
        usage
        ;;
    demo)
        set_up demo
        exec "$python" -P -m local.demo "${@:2}"
        ;;
    chaos)
        set_up demo
        exec "$python" -P -m local.chaos "${@:2}"
        ;;
    status)
        set_up worker
        exec "$python" -P -m consumer.status "${@:2}"
        ;;
    worker)
        set_up worker
        exec "$python" -P -m consumer.launcher "${@:2}"
        ;;
    -*)
        set_up worker
        exec "$python" -P -m consumer.launcher "$@"
        ;;
    *)
        printf 'run_kcl.sh: there is no command %q; it is `demo`, `chaos`, `status`, or nothing for a worker (see --help)\n' "$1" >&2
        exit 2
        ;;
esac
