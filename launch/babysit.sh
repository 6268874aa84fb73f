#!/usr/bin/env bash
# Runs a command, and again while it ends with a code that asks for it:
#   launch/babysit.sh launch/local.sh --config=configs/mnist.py --workdir=runs/a
# Sourced by the other scripts for its functions.
#   RESTARTS  how many in a row without a newer checkpoint, 10
#   BACKOFF   seconds before the first of them, 10; doubled each time, to 600
set -euo pipefail

RESTARTS=${RESTARTS:-10}
BACKOFF=${BACKOFF:-10}
BEST=-1    # The newest checkpoint that was seen.
FAILED=0   # Restarts since.
STOP=      # Set by a signal: no more restarts.

# Whether the same command is worth another try after this exit code: busy or a
# peer not reached, watchdog, abort, SIGKILL, SIGSEGV, SIGTERM after its save.
is_retry() {
  case $1 in
    75 | 124 | 134 | 137 | 139 | 143) return 0 ;;
    *) return 1 ;;
  esac
}

# The code that says most of several processes: one that is not for a retry,
# else the first that is not 0. One that still runs has ''.
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
    echo 'swae_jax: give --workdir=DIR; whether a run makes progress is read' \
         'from its checkpoints' >&2
    return 2
  fi
  echo "$found"
}

# The newest of the names on stdin that are steps; -1 if none is. What is being
# written or was set aside has a longer name.
newest() {
  local name best=-1
  while read -r name; do
    if [[ $name =~ ^[0-9]+$ ]] && [ "$name" -gt "$best" ]; then
      best=$name
    fi
  done
  echo "$best"
}

# The names in the checkpoints of a workdir; in a bucket, of those that are whole.
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

# Waits before a restart. In the background, since a trap waits for a command.
back_off() {
  local seconds=$BACKOFF i
  for ((i = 1; i < FAILED && seconds < 600; i++)); do
    seconds=$((2 * seconds))
  done
  sleep "$((seconds < 600 ? seconds : 600))" &
  wait "$!" || kill "$!" 2> /dev/null || true
}

# Runs `attempt` until it needs no restart; `names` says its checkpoints.
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

# The exit code of a child, also if signals to this shell come meanwhile.
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

# Hands a signal on to the child, after which there is no restart.
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
  set -m  # Else a child in the background ignores SIGINT.
  trap 'hand_on TERM' TERM
  trap 'hand_on INT' INT
  babysit
fi
