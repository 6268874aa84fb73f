#!/usr/bin/env bash
# Makes a virtual environment with the pinned packages and swae_jax (editable),
# if there is none yet; installs again when the pins change.
# The other scripts source this file.
#   PYTHON   the interpreter to begin with (3.11 or later)
#   VENV     the folder of the environment
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=${VENV:-.venv}
PYTHON=${PYTHON:-python3}

# The file `installed` in the environment holds the checksum of its pins.
pins=$(cat requirements.txt setup.cfg pyproject.toml | cksum)
if [ "$(cat "$VENV/installed" 2>/dev/null)" != "$pins" ]; then
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "swae_jax needs Python 3.11 or later; $PYTHON is" \
         "$("$PYTHON" -V 2>&1 || true); set PYTHON=" >&2
    exit 2
  }
  echo "installing into $VENV (once)"
  [ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
  pip=("$VENV/bin/python" -m pip install --quiet --disable-pip-version-check)
  "${pip[@]}" -r requirements.txt
  "${pip[@]}" --no-deps --no-build-isolation --editable .
  echo "$pins" > "$VENV/installed"
  echo "installed; this enters the environment:  . $VENV/bin/activate"
elif [ "${BASH_SOURCE[0]}" = "$0" ]; then
  echo "nothing to install; this enters the environment:  . $VENV/bin/activate"
fi
