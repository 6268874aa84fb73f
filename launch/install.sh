#!/usr/bin/env bash
# A virtual environment in .venv with the pinned packages, if it is not there.
# Sourced by the other scripts, from the root of the repository.
#   PYTHON   the interpreter to begin with (3.11 or later)
#   VENV     where the environment is
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=${VENV:-.venv}
PYTHON=${PYTHON:-python3}

# The environment is made again when the pins change.
want=$(cksum < requirements.txt)
if [ "$(cat "$VENV/installed" 2>/dev/null)" != "$want" ]; then
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "swae_jax needs Python 3.11 or later; $PYTHON is $("$PYTHON" -V 2>&1);" \
         "set PYTHON=" >&2
    exit 2
  }
  echo "installing into $VENV (once)"
  [ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
    -r requirements.txt
  echo "$want" > "$VENV/installed"
fi
