#!/usr/bin/env bash
# Installs what is missing, then trains on this machine, the digits if nothing
# else is asked for.  The arguments go to `swae train`, as in:
#   launch/local.sh --config=configs/mnist.py --config.data.dir=data
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
exec "$VENV/bin/python" -m swae_jax train --config=configs/digits.py "$@"
