#!/usr/bin/env bash
# Installs missing packages, then trains on this machine.  The arguments go to
# `swae train`; without --config it trains on the digits.
#   launch/local.sh --config=configs/mnist.py --config.data.dir=data
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
exec "$VENV/bin/python" -m swae_jax train --config=configs/digits.py "$@"
