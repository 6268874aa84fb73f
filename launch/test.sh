#!/usr/bin/env bash
# Installs missing packages, checks style and types, and runs the quick tests.
# The arguments go to pytest, as in: launch/test.sh tests/losses
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
"$VENV/bin/python" -m ruff check .
"$VENV/bin/python" -m pyright --pythonpath "$VENV/bin/python"
exec "$VENV/bin/python" -m pytest -n 2 "$@"
