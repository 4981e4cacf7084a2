#!/usr/bin/env bash
# Measures the consumer against what people would write, after setting up what that needs.
set -euo pipefail
unset CDPATH
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
source "$root/bootstrap/set_up.sh"

usage() {
    cat <<'USAGE'
usage: ./run_benchmarks.sh [NAME…] [OPTION…]   all benchmarks, or those named: all sides in turns, medians and ratios

  child      CPU a record and file size of a shard's child, against the straightforward build
  fleet      100 children at once: how long until all have answered, and how much memory each takes
  memory     the peak of a child's memory, by file size, records a call and records in all
  end-to-end a whole worker with 1 to 8 shards, against one on async-kinesis: records a second, CPU a record
  jvm        the daemon's heap and garbage collectors: memory, CPU and speed of each
  start      a worker's first records, and its next ones after it was killed: seconds
  commands   `articles average`, `verify` and `files` over 10,000 objects, against listing alone
  training   the training reader against LitData, MosaicML, HF datasets, WebDataset and fastavro, local and in S3
             (only when it is named: the other readers take 5 GB of disk)
  export     a shuffled export on one machine: speed, memory, size of each profile, against a plain PySpark job
             (only when it is named: takes 10 GB of disk, Java, and Maven once)

  --json FILE   write the results there, - for standard output     --quick   less work: a look, not a measurement
  --docs        put tables and plots into docs/                    --list    the benchmarks, one a line
  --profile     instead: where the child's CPU time goes

CPU time and ratios bear a busy machine, times of a fleet's start and of commands do not: measure when it is quiet.
The native child is built where there is a cargo, and left out elsewhere.
USAGE
}

case " $* " in
    *' -h '* | *' --help '*)
        usage
        exit
        ;;
esac

set_up benchmarks
case " $* " in
    *' training '*) set_up peers ;;
esac
case " $* " in
    *' export '*) set_up readers ;;
esac
cd "$root"
exec "$python" -P -m benchmarks "$@"
