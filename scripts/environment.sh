#!/bin/sh
# Makes .venv, and leaves it alone where it already fits: the network is needed only where something is missing.
# VENV names another folder, and EXTRAS what of setup.cfg's extras it gets. With OLDEST, it gets the oldest version that
# setup.cfg allows of each package that tlscomm needs.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=${VENV:-.venv}
extras=${EXTRAS:-dev}

sh .ci/programs python3
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "tlscomm needs Python 3.10 or newer; $python is $("$python" --version 2>&1)." >&2
    exit 1
fi

# A virtual environment holds absolute paths: a copied or renamed checkout needs its own, and so does another Python.
place="$PWD: $("$python" -c 'import sys; print(sys.version)')"
if [ ! -x "$venv/bin/python" ] || [ "$(cat "$venv/place" 2>/dev/null)" != "$place" ]; then
    sh .ci/programs python3-venv
    echo "Making $venv"
    "$python" -m venv --clear "$venv"
    printf '%s\n' "$place" >"$venv/place"
fi

# Contents and not times: git gives every file of a fresh checkout a new time.
wanted="$(cksum setup.cfg pyproject.toml) $extras ${OLDEST:-}"
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing tlscomm and its tools into $venv"
    rm -f "$venv/installed"
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    # Build isolation would fetch setuptools anew each time, even where all requirements are met.
    "$venv/bin/python" -m pip install --quiet 'setuptools>=77' wheel
    constraints=/dev/null
    if [ -n "${OLDEST:-}" ]; then
        constraints=$venv/oldest
        # What tlscomm needs stands before what its tests need.
        sed -n '/^install_requires/,/^test =/s/^ *\([A-Za-z0-9_.-]*\) *>= *\([0-9.]*\).*/\1 == \2/p' setup.cfg >"$constraints"
    fi
    "$venv/bin/python" -m pip install --quiet --no-build-isolation --constraint "$constraints" \
        --editable ".[$extras]"
    printf '%s\n' "$wanted" >"$venv/installed"
fi

# An installation brings bytecode, an editable one does not: where Python may write none, each start would compile anew.
"$venv/bin/python" -m compileall -q tlscomm twisted/plugins || :
