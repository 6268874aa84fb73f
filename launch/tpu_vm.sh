#!/usr/bin/env bash
# Runs this checkout on a Cloud TPU (v4 to v6e) called NAME:
#   launch/tpu_vm.sh create NAME         queue for the TPU and wait for it
#   launch/tpu_vm.sh setup NAME          copy the checkout to all its workers
#   launch/tpu_vm.sh run NAME FLAGS      train or go on, on all its workers
#   launch/tpu_vm.sh babysit NAME FLAGS  all three, and again after a preemption
#                                        or an exit code that allows a restart
#   launch/tpu_vm.sh fetch NAME          copy the run to runs/NAME here
#   launch/tpu_vm.sh delete NAME         give the TPU back
# Each command may be repeated. FLAGS are those of swae_jax.main, without
# --workdir. --dry_run before the rest prints all commands and runs none.
#   ZONE=europe-west4-a  TYPE=v6e-8  RUNTIME=(by TYPE)  PROJECT=(gcloud's)
#   SPOT=1  0 is not preempted      POLL=30  seconds between looks at the queue
#   BUCKET  keeps the run, in gs://BUCKET/NAME; several workers need a bucket,
#           and without a bucket a preemption deletes the checkpoints, too
#   RESTARTS, BACKOFF  as in launch/babysit.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/babysit.sh

ZONE=${ZONE:-europe-west4-a}
TYPE=${TYPE:-v6e-8}
SPOT=${SPOT:-1}
POLL=${POLL:-30}
BUCKET=${BUCKET:-}
NEEDS_SETUP=1

say() { echo "swae_jax: $*" >&2; }

usage() {
  sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p;}' launch/tpu_vm.sh >&2
  exit 2
}

# The image that the documentation of Cloud TPU gives for each generation.
runtime() {
  case $TYPE in
    v6e-*) echo v2-alpha-tpuv6e ;;
    v5p-*) echo v2-alpha-tpuv5 ;;
    v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    *) echo tpu-ubuntu2204-base ;;
  esac
}

# Carries a command out, or prints it.
call() {
  if [ -n "$DRY_RUN" ]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

tpus() { call gcloud compute tpus "$@" "${WHERE[@]}"; }

# Carries a command line out on worker $1, or on all.
remote() { tpus tpu-vm ssh "$NAME" --worker="$1" --command="$2"; }

# The state of the queued resource; ABSENT if there is none. Without an answer
# the exit code is 75, as for a process that was not reached.
state() {
  local out
  if [ -n "$DRY_RUN" ]; then
    echo ABSENT
  elif out=$(tpus queued-resources describe "$NAME" \
               --format='value(state.state)' 2>&1); then
    echo "${out##*$'\n'}"
  elif [[ $out == *NOT_FOUND* ]]; then
    echo ABSENT
  else
    say "$out"
    return 75
  fi
}

remove() { tpus queued-resources delete "$NAME" --force --quiet; }

queue() {
  local spot=()
  [ "$SPOT" = 0 ] || spot=(--spot)
  tpus queued-resources create "$NAME" --node-id="$NAME" \
    --accelerator-type="$TYPE" --runtime-version="${RUNTIME:-$(runtime)}" \
    ${spot[@]+"${spot[@]}"}
}

# Brings the TPU from any state to ACTIVE.
create() {
  local now before='' queued=
  while true; do
    now=$(state) || return
    [ "$now" = "$before" ] || say "$NAME is $now"
    before=$now
    case $now$queued in
      ACTIVE*) return 0 ;;
      ABSENT)
        queue || return
        queued=.
        NEEDS_SETUP=1
        [ -z "$DRY_RUN" ] || return 0
        ;;
      SUSPENDED | FAILED) remove || return 75 ;;
      SUSPENDED. | FAILED.)
        say "$NAME was queued and not created; see: gcloud compute tpus" \
            "queued-resources describe $NAME --zone=$ZONE"
        return 75
        ;;
      *) sleep "$POLL" ;;
    esac
  done
}

# Copies the tracked files with their changes, and installs the tested versions.
setup() {
  local dir commit='' install
  install="mkdir -p swae_jax && tar -xzf swae_jax.tar.gz -C swae_jax &&
    cd swae_jax && python3 -m pip install --quiet --user uv &&
    python3 -m uv venv --quiet --allow-existing --python 3.11 .venv &&
    python3 -m uv pip install --quiet --python .venv/bin/python \
      -c requirements.txt -e '.[tpu,gcs]'"
  dir=$(mktemp -d) || return
  [ -n "$DRY_RUN" ] || commit=$(git stash create) || return
  call git archive --format=tar.gz -o "$dir/swae_jax.tar.gz" "${commit:-HEAD}" ||
    return
  tpus tpu-vm scp "$dir/swae_jax.tar.gz" "$NAME:" --worker=all || return
  rm -r "$dir"
  remote all "$install" || return
  NEEDS_SETUP=
}

# The command line for each worker. The lock waits for a run that a broken ssh
# left running. 8476 is the port that the automatic firewall rule opens. ssh does
# not tell which signal ended a program, and flock does.
command_line() {
  local flags
  flags=$(printf ' %q' "$@" --workdir="$WORKDIR")
  echo "cd swae_jax && JAX_COORDINATOR_PORT=8476 flock -E 75 -w 60 .run.lock" \
       ".venv/bin/python -m swae_jax.main$flags; code=\$?;" \
       "echo \"swae_jax: \$(hostname) ended with \$code\"; exit \$code"
}

# Trains on all workers. The exit code of gcloud is that of any worker, or 1 for
# an error of gcloud. So each worker prints its own code, and a worker without a
# code is lost.
run() {
  local log code=0 said
  log=$(mktemp) || return
  remote all "$(command_line "$@")" 2>&1 | tee "$log" ||
    code=${PIPESTATUS[0]}
  said=$(sed -n 's/.*swae_jax: .* ended with \([0-9]*\)$/\1/p' "$log")
  rm "$log"
  # shellcheck disable=SC2086  # One code a word.
  said=$(worst_of $said)
  if [ "$code" -ne 0 ] && [ "$said" -eq 0 ]; then
    say "lost a worker of $NAME (gcloud: exit code $code)"
    said=75
  fi
  return "$said"
}

attempt() {
  create || return
  if [ -n "$NEEDS_SETUP" ]; then
    setup || return 75
  fi
  run ${FLAGS[@]+"${FLAGS[@]}"}
}

names() {
  [ -z "$DRY_RUN" ] || return 0
  if [ -n "$BUCKET" ]; then
    names_in "$WORKDIR"
  else
    remote 0 "ls swae_jax/$WORKDIR/checkpoints" 2> /dev/null || true
  fi
}

fetch() {
  mkdir -p runs
  if [ -n "$BUCKET" ]; then
    call gcloud storage rsync --recursive "$WORKDIR" "runs/$NAME"
  else
    tpus tpu-vm scp "$NAME:swae_jax/$WORKDIR" runs/ --recurse --worker=0
  fi
}

delete() {
  local now
  now=$(state) || return
  if [ "$now" = ABSENT ] && [ -z "$DRY_RUN" ]; then
    say "there is no $NAME in $ZONE"
  else
    remove
  fi
}

DRY_RUN=
if [ "${1:-}" = --dry_run ]; then
  DRY_RUN=1
  shift
fi
[ $# -ge 2 ] || usage
COMMAND=$1
NAME=$2
shift 2
FLAGS=("$@")
WORKDIR=${BUCKET:+gs://$BUCKET/$NAME}
WORKDIR=${WORKDIR:-runs/$NAME}
WHERE=(--zone="$ZONE" ${PROJECT:+--project="$PROJECT"})
if ! [[ $NAME =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]]; then
  say "'$NAME' is no name of a TPU: lower-case letters, digits and hyphens"
  exit 2
fi
case " $* " in *' --workdir'*)
  say "--workdir is $WORKDIR; leave it out"
  exit 2 ;;
esac
case $COMMAND in
  babysit)
    if [ -z "$BUCKET" ] && [ "$SPOT" != 0 ]; then
      say 'without BUCKET= a preemption deletes the checkpoints, too'
    fi
    babysit ;;
  run) run "$@" ;;
  create | setup | fetch | delete) "$COMMAND" ;;
  *) usage ;;
esac
