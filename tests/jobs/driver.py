"""`jobs/export.py` again and again in one Spark, as spark-submit runs it: its arguments come as a line of JSON from a
port of this machine, status, output and errors go back."""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import socket
import sys
from pathlib import Path

JOB = Path(__file__).parents[2] / "jobs" / "export.py"


def main() -> None:
    with (
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection,
        connection.makefile("rw", encoding="utf-8") as stream,
    ):
        for line in stream:
            sys.argv[:] = [str(JOB), *json.loads(line)]
            out, err = io.StringIO(), io.StringIO()
            status: object = 0
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    runpy.run_path(str(JOB), run_name="__main__")
            except SystemExit as end:
                status = end.code
            except Exception as error:  # noqa: BLE001 - the test says what it thinks of it
                status = repr(error)
            stream.write(json.dumps([status, out.getvalue(), err.getvalue()]) + "\n")
            stream.flush()


if __name__ == "__main__":
    main()
