#!/usr/bin/env bash
# Installs what is missing, then trains on this machine; the arguments go to
# the program, as in: launch/local.sh --config=configs/mnist.py --workdir=runs/a
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
exec "$VENV/bin/python" -m swae_jax.main --config=configs/digits.py "$@"
