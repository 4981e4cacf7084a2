# Sourced by run_kcl.sh and run_tests.sh, which set `root`. `set_up PLAN` makes all that PLAN needs, sets `python` and
# exports ARTICLES_JAVA and, where the plan has it, ARTICLES_NODE.
# ARTICLES_PYTHON names a Python that has everything already, as in a container: then nothing is looked for or installed.

set_up() {
    local exports status=75
    if [[ -n ${ARTICLES_PYTHON:-} ]]; then
        python=$ARTICLES_PYTHON
        export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
        return
    fi
    python=$root/.venv/bin/python
    if "$python" -I -S -c '' 2>/dev/null; then
        exports=$("$python" -I -S "$root/bootstrap" "$1") && status=0 || status=$?
    fi
    if ((status == 75)); then # there is no environment that works
        local system_python
        system_python=$(find_python) || exit
        exports=$("$system_python" -I "$root/bootstrap" "$1") && status=0 || status=$?
    fi
    ((status == 0)) || exit "$status"
    eval "$exports"
}

# Prints the first Python that is new enough and can make virtual environments.
find_python() {
    local candidate version seen=''
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        version=$("$candidate" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if "$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            if "$candidate" -I -c 'import ensurepip, venv' 2>/dev/null; then
                command -v "$candidate"
                return
            fi
            seen+=" $candidate (no venv: on Debian and Ubuntu, apt install python$version-venv)"
        else
            seen+=" $candidate (is $version)"
        fi
    done
    printf 'set-up: no Python 3.11 or later that can make virtual environments;%s\n' "${seen:- there is none on the PATH}" >&2
    return 1
}
