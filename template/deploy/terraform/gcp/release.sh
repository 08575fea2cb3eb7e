#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and workers.
#   ./release.sh staging europe-west3-docker.pkg.dev/PROJECT/demo/app@sha256:...
# The way back is the same command with the image before. What does not become ready gets no requests,
# and this script fails. It needs gcloud with its component beta, signed in to the project.
# A third word does one of them only: migrate, app or worker.
set -euo pipefail

image=${2:?usage: release.sh ENVIRONMENT IMAGE [PART]}
part=${3:-}
answered() { sed -n "s/^$1 *= *\"\(.*\)\"/\1/p" "$(dirname "$0")/../answers.tfvars"; }
region=$(answered region)
slug=$(answered slug)
# As sizes.tf makes it.
name=${slug:0:20}
name=${name%-}-${1:0:4}

if [ -z "$part" ]; then
  echo "The way back: $0 $1 $(gcloud run services describe "$name-app" --region "$region" \
    --format 'value(spec.template.spec.containers[0].image)' || true)"
fi
if [ "${part:-migrate}" = migrate ]; then
  gcloud run jobs update "$name-migrate" --region "$region" --image "$image" --quiet
  gcloud run jobs execute "$name-migrate" --region "$region" --wait
fi
if [ "${part:-app}" = app ]; then
  gcloud run services update "$name-app" --region "$region" --container app --image "$image" --quiet
fi
if [ "${part:-worker}" = worker ]; then
  gcloud beta run worker-pools update "$name-worker" --region "$region" --image "$image" --quiet
fi
