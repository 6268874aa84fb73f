#!/usr/bin/env bash
# Runs N processes of one run on this machine, like N hosts. Use CPUs only: each
# process would take all GPUs.
#   launch/local_processes.sh N --config=configs/digits.py --workdir=runs/a
# Signals go to all processes. If a process fails, the script stops the others.
# The script ends with the first exit code that forbids a restart, or else with
# the code of the process that failed first.
#   GRACE  seconds from SIGTERM to SIGKILL for the others, 15
set -euo pipefail
if ! [[ ${1:-} =~ ^[0-9]+$ ]] || [ "$1" -lt 2 ]; then
  echo 'usage: launch/local_processes.sh N [flags of swae_jax.main], N >= 2' >&2
  exit 2
fi
LAUNCH=$(dirname "${BASH_SOURCE[0]}")
source "$LAUNCH/install.sh"  # Goes to the root of the repository.
source launch/babysit.sh

COUNT=$1
shift
GRACE=${GRACE:-15}
PORT=$("$VENV/bin/python" -c 'import socket
with socket.socket() as s:
  s.bind(("localhost", 0))
  print(s.getsockname()[1])')
PIDS=()
CODES=()
FIRST=

# The lines of process $1, marked as its own.
mark() {
  local line
  while IFS= read -r line || [ -n "$line" ]; do
    printf '[%s] %s\n' "$1" "$line"
  done
}

# Sends a signal to the processes that have not ended.
send() {
  local i
  for ((i = 0; i < COUNT; i++)); do
    if [ -z "${CODES[i]}" ]; then
      kill -"$1" "${PIDS[i]}" 2> /dev/null || true
    fi
  done
}

# Notes which processes have ended; false if all have ended.
alive() {
  local i running=
  for ((i = 0; i < COUNT; i++)); do
    [ -z "${CODES[i]}" ] || continue
    if kill -0 "${PIDS[i]}" 2> /dev/null; then
      running=1
    else
      CODES[i]=0
      wait "${PIDS[i]}" || CODES[i]=$?
    fi
  done
  [ -n "$running" ]
}

set -m  # Without it a child in the background ignores SIGINT.
for ((i = 0; i < COUNT; i++)); do
  "$VENV/bin/python" -m swae_jax.main "$@" --coordinator="localhost:$PORT" \
    --processes="$COUNT" --process="$i" \
    < /dev/null > >(mark "$i") 2> >(mark "$i" >&2) &
  PIDS+=("$!")
  CODES+=('')
done
trap 'send TERM' TERM
trap 'send INT' INT

while alive; do
  if [ -z "$FIRST" ]; then
    code=$(worst_of "${CODES[@]}")
    if [ "$code" -ne 0 ]; then
      FIRST=$code
      SECONDS=0
      send TERM
    fi
  elif [ "$SECONDS" -ge "$GRACE" ]; then
    send KILL
  fi
  sleep .1
done
exit "$(worst_of "$FIRST" "${CODES[@]}")"
