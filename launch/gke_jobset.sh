#!/usr/bin/env bash
# Runs on TPUs of a GKE cluster (TPU7x and later have no other interface), as a
# JobSet called NAME:
#   IMAGE=... launch/gke_jobset.sh render NAME FLAGS  print the manifest
#   IMAGE=... launch/gke_jobset.sh apply NAME FLAGS   start it
#   launch/gke_jobset.sh logs NAME                    follow process 0
#   launch/gke_jobset.sh delete NAME                  stop and remove it
# FLAGS are those of swae_jax.main, without --workdir. Kubernetes restarts all
# processes after an exit code that allows a restart, RESTARTS times (10) in all.
#   IMAGE     has the checkout in its working directory and '.[tpu,gcs]' installed
#   ACCELERATOR=tpu7x  TOPOLOGY=2x2x1  CHIPS=4 (of a host)  SPOT=1
#   BUCKET    keeps the run, in gs://BUCKET/NAME; without a bucket the
#             checkpoints are lost with the pods
#   SERVICE_ACCOUNT=default  of Kubernetes, with access to the bucket
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ACCELERATOR=${ACCELERATOR:-tpu7x}
TOPOLOGY=${TOPOLOGY:-2x2x1}
CHIPS=${CHIPS:-4}
SPOT=${SPOT:-1}
RESTARTS=${RESTARTS:-10}
BUCKET=${BUCKET:-}
SERVICE_ACCOUNT=${SERVICE_ACCOUNT:-default}

fail() {
  echo "swae_jax: $*" >&2
  exit 2
}

# The arguments as a JSON list of strings, which is YAML, too.
list() {
  local arg first=1
  printf '['
  for arg in "$@"; do
    arg=${arg//\\/\\\\}
    [ -n "$first" ] || printf ', '
    first=
    printf '"%s"' "${arg//\"/\\\"}"
  done
  printf ']'
}

spot() {
  [ "$SPOT" != 0 ] || return 0
  cat << END
              cloud.google.com/gke-spot: "true"
            tolerations:
            - key: cloud.google.com/gke-spot
              operator: Equal
              value: "true"
              effect: NoSchedule
END
}

# A disrupted pod counts as a failure, whatever its exit code. An exit code that
# forbids a restart fails the Job with the reason PodFailurePolicy, and then the
# JobSet does not restart. Any other failure restarts all pods together, since
# the processes cannot go on without one another.
render() {
  local chips=$((${TOPOLOGY//x/*}))
  [ -n "${IMAGE:-}" ] || fail 'IMAGE= is missing, the container image to run'
  [ $((chips % CHIPS)) -eq 0 ] ||
    fail "TOPOLOGY=$TOPOLOGY has $chips chips, not a multiple of CHIPS=$CHIPS"
  cat << END
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  name: $NAME
  annotations:
    alpha.jobset.sigs.k8s.io/exclusive-topology: cloud.google.com/gke-nodepool
spec:
  failurePolicy:
    maxRestarts: $RESTARTS
    rules:
    - action: FailJobSet
      onJobFailureReasons: [PodFailurePolicy]
  replicatedJobs:
  - name: workers
    replicas: 1
    template:
      spec:
        parallelism: $((chips / CHIPS))
        completions: $((chips / CHIPS))
        completionMode: Indexed
        backoffLimit: 0
        podFailurePolicy:
          rules:
          - action: Count
            onPodConditions:
            - type: DisruptionTarget
          - action: FailJob
            onExitCodes:
              containerName: main
              operator: NotIn
              values: [75, 124, 134, 137, 139, 143]
        template:
          spec:
            restartPolicy: Never
            terminationGracePeriodSeconds: 30
            serviceAccountName: $SERVICE_ACCOUNT
            containers:
            - name: main
              image: "$IMAGE"
              command: $(list python -m swae_jax.main "$@" "--workdir=$WORKDIR")
              resources:
                limits:
                  google.com/tpu: $CHIPS
            nodeSelector:
              cloud.google.com/gke-tpu-accelerator: $ACCELERATOR
              cloud.google.com/gke-tpu-topology: $TOPOLOGY
$(spot)
END
}

[ $# -ge 2 ] || fail 'usage: launch/gke_jobset.sh render|apply|logs|delete' \
                     'NAME [flags of swae_jax.main]'
COMMAND=$1
NAME=$2
shift 2
WORKDIR=${BUCKET:+gs://$BUCKET/$NAME}
WORKDIR=${WORKDIR:-runs/$NAME}
[[ $NAME =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]] ||
  fail "'$NAME' is no name of a JobSet: lower-case letters, digits and hyphens"
case " $* " in *' --workdir'*)
  fail "--workdir is $WORKDIR; leave it out" ;;
esac
case $COMMAND in
  render) render "$@" ;;
  apply)
    MANIFEST=$(render "$@")
    kubectl apply -f - <<< "$MANIFEST"
    ;;
  logs)
    kubectl logs --follow --container=main \
      --selector="jobset.sigs.k8s.io/jobset-name=$NAME,batch.kubernetes.io/job-completion-index=0"
    ;;
  delete) kubectl delete jobset "$NAME" --ignore-not-found ;;
  *) fail "'$COMMAND' is none of render, apply, logs, delete" ;;
esac
