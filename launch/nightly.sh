#!/usr/bin/env bash
# Installs what is missing, then passes all tests, the slow ones too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
exec "$VENV/bin/python" -m pytest -n 2 -m "slow or not slow" "$@"
