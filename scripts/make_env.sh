#!/bin/sh
# Set up the virtual environment in folder $1: locked packages with hashes, this package, its Jupyter kernel.
set -eu
venv=$1
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "make env: Python 3.11 or later is needed; '$python' is $("$python" --version 2>&1 || echo missing)." \
         "Name one with PYTHON=…" >&2
    exit 2
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || {
    echo "make env: cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)" >&2
    exit 2
}
echo "Setting up $venv (once; about a minute and 7 GB)"
uv=$(sed -n '/^uv==/,/[^\\]$/p' requirements.lock)
printf '%s\n' "$uv" > "$venv/uv.lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$venv/uv.lock"
export VIRTUAL_ENV="$PWD/$venv"
"$venv/bin/uv" pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
"$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
"$venv/bin/python" -m ipykernel install --sys-prefix --name python3 --display-name "CapDec Book" > /dev/null
# Compile what `capdec caption` imports, so that its first call starts as fast as the next.
"$venv/bin/python" -c "import capdec_core.captioning, capdec_core.encoders.towers"
