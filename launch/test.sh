#!/usr/bin/env bash
# Installs what is missing, then passes the quick tests; the arguments go to
# pytest, as in: launch/test.sh tests/losses
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
"$VENV/bin/python" -m ruff check .
exec "$VENV/bin/python" -m pytest -n 2 "$@"
