#!/usr/bin/env bash
# Runs a command, and runs it again after an exit code that allows a restart:
#   launch/babysit.sh launch/local.sh --config=configs/mnist.py --workdir=runs/a
# The other scripts source this file for its functions.
#   RESTARTS  restarts in a row without a newer checkpoint, 10
#   BACKOFF   seconds before the first restart, 10; doubled each time, to 600
set -euo pipefail

RESTARTS=${RESTARTS:-10}
BACKOFF=${BACKOFF:-10}
BEST=-1    # The step of the newest checkpoint so far.
FAILED=0   # Restarts since that checkpoint.
STOP=      # Set by a signal: no more restarts.

# Whether this exit code allows a restart: 75 the run is in use or a process was
# not reached, 124 watchdog, 134 abort, 137 SIGKILL, 139 SIGSEGV, 143 SIGTERM
# after a save.
is_retry() {
  case $1 in
    75 | 124 | 134 | 137 | 139 | 143) return 0 ;;
    *) return 1 ;;
  esac
}

# One exit code for several processes: the first code that forbids a restart, or
# else the first that is not 0. A process that still runs has ''.
worst_of() {
  local code worst=0
  for code in "$@"; do
    [ "${code:-0}" -ne 0 ] || continue
    if ! is_retry "$code"; then
      worst=$code
      break
    fi
    [ "$worst" -ne 0 ] || worst=$code
  done
  echo "$worst"
}

# The value of the last --workdir= among the arguments.
workdir_of() {
  local arg found=
  for arg in "$@"; do
    case $arg in --workdir=*) found=${arg#*=} ;; esac
  done
  if [ -z "$found" ]; then
    echo 'swae_jax: give --workdir=DIR; its checkpoints show whether the run' \
         'makes progress' >&2
    return 2
  fi
  echo "$found"
}

# The newest step among the names on stdin; -1 if no name is a step. Unfinished
# and damaged checkpoints have longer names.
newest() {
  local name best=-1
  while read -r name; do
    if [[ $name =~ ^[0-9]+$ ]] && [ "$name" -gt "$best" ]; then
      best=$name
    fi
  done
  echo "$best"
}

# The names of the checkpoints of a workdir; in a bucket only the whole ones.
names_in() {
  local path
  if [[ $1 == gs://* ]]; then
    { gcloud storage ls "$1/checkpoints/*/commit_success.txt" 2> /dev/null ||
        true; } | sed 's|/[^/]*$||; s|.*/||'
    return
  fi
  for path in "$1"/checkpoints/*; do
    echo "${path##*/}"
  done
}

# Whether to try again, after exit code $1 and with the newest checkpoint $2.
again() {
  if ! is_retry "$1" || [ -n "$STOP" ]; then
    return 1
  fi
  if [ "$2" -gt "$BEST" ]; then
    BEST=$2
    FAILED=0
  fi
  if [ "$FAILED" -ge "$RESTARTS" ]; then
    echo "swae_jax: exit code $1; $RESTARTS restarts in a row left no" \
         "checkpoint after step $BEST, so this was the last" >&2
    return 1
  fi
  FAILED=$((FAILED + 1))
  echo "swae_jax: exit code $1, newest checkpoint $BEST:" \
       "restart $FAILED of $RESTARTS" >&2
}

# Waits before a restart. sleep runs in the background, since a trap waits until
# a command in the foreground ends.
back_off() {
  local seconds=$BACKOFF i
  for ((i = 1; i < FAILED && seconds < 600; i++)); do
    seconds=$((2 * seconds))
  done
  sleep "$((seconds < 600 ? seconds : 600))" &
  wait "$!" || kill "$!" 2> /dev/null || true
}

# Runs `attempt` until it needs no restart; `names` prints its checkpoints.
babysit() {
  local code
  BEST=$(names | newest)
  while true; do
    code=0
    attempt || code=$?
    if [ "$code" -eq 0 ]; then
      return 0
    fi
    again "$code" "$(names | newest)" || return "$code"
    back_off
    if [ -n "$STOP" ]; then
      return "$code"
    fi
  done
}

# The exit code of a child, even if signals to this shell interrupt the wait.
wait_for() {
  local code
  while true; do
    WOKEN=
    code=0
    wait "$1" || code=$?
    if [ -z "$WOKEN" ]; then
      return "$code"
    fi
  done
}

# Passes a signal on to the child; there is no restart afterwards.
hand_on() {
  STOP=1 WOKEN=1
  [ -z "$CHILD" ] || kill -"$1" "$CHILD" 2> /dev/null || true
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  WORKDIR=$(workdir_of "$@")
  ARGV=("$@")
  CHILD=
  names() { names_in "$WORKDIR"; }
  attempt() {
    local code=0
    "${ARGV[@]}" < /dev/null &
    CHILD=$!
    wait_for "$CHILD" || code=$?
    CHILD=
    return "$code"
  }
  set -m  # Without it a child in the background ignores SIGINT.
  trap 'hand_on TERM' TERM
  trap 'hand_on INT' INT
  babysit
fi
