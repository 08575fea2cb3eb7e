#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and workers.
#   ./release.sh demo-stag europe-west3 europe-west3-docker.pkg.dev/PROJECT/demo/app@sha256:...
# The way back is the same command with the image before. What does not become ready gets no requests,
# and this script fails. It needs gcloud, signed in to the project.
set -euo pipefail

name=$1 region=$2 image=${3:?usage: release.sh NAME REGION IMAGE}

gcloud run jobs update "$name-migrate" --region "$region" --image "$image" --quiet
gcloud run jobs execute "$name-migrate" --region "$region" --wait
gcloud run services update "$name-app" --region "$region" --container app --image "$image" --quiet
gcloud run worker-pools update "$name-worker" --region "$region" --image "$image" --quiet
