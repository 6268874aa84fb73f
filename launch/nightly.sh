#!/usr/bin/env bash
# Installs missing packages, runs all tests with the slow ones, and then injects
# faults into runs. The injected faults are added to results/reliability.json and
# to the table in README.md. The arguments go to pytest.
#   SOAK  the faults to inject; see tests/reliability/soak.py
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
SOAK=${SOAK:---kills=40 --kills_at_points=21 --sigterms=20 --sigints=5
  --double_starts=5 --hangs=2 --damaged_caches=2 --disk_full=5 --nans=10
  --mutations=2 --two_host_sigterms=2 --two_host_sigints=2
  --two_host_sigkills=2 --device_pairs=1}
"$VENV/bin/python" -m pytest -n 2 -m "slow or not slow" "$@"
# shellcheck disable=SC2086  # Several words.
exec "$VENV/bin/python" tests/reliability/soak.py $SOAK
