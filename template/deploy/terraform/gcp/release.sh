#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and workers.
#   ./release.sh staging europe-west3-docker.pkg.dev/PROJECT/demo/app@sha256:...
#   ./release.sh staging "" back        the image before, which the service's labels know; no migration runs
# What does not become ready gets no requests, and this script fails. It needs gcloud with its component beta,
# signed in to the project. A third word does one of them only (migrate, app or worker), or goes back to IMAGE.
set -euo pipefail

image=${2?usage: release.sh ENVIRONMENT IMAGE [PART|back]}
what=${3:-}
answered() { sed -n "s/^$1 *= *\"\(.*\)\"/\1/p" "$(dirname "$0")/../answers.tfvars"; }
region=$(answered region)
slug=$(answered slug)
# As sizes.tf makes it.
name=${slug:0:20}
name=${name%-}-${1:0:4}

told() { gcloud run services describe "$name-app" --region "$region" --format "value($1)"; }

parts=${what:-migrate app worker}
[ "$what" != back ] || parts="app worker"
# A label holds 63 letters, one less than a digest has.
marks=()
if [ -z "$what" ] || [ "$what" = back ]; then
  serves=$(gcloud run revisions describe "$(told status.latestReadyRevisionName)" --region "$region" \
    --format 'value(spec.containers[0].image)' || true)
  if [ "$what" = back ]; then
    if [ -z "$image" ]; then
      digest=$(told 'metadata.labels.image-before-1')$(told 'metadata.labels.image-before-2')
      [ "${#digest}" = 64 ] || {
        echo "Google knows no version before, or went back to it: name the image." >&2
        exit 1
      }
      image=${serves%@*}@sha256:$digest
    fi
    # Who goes back twice shall not meet what was bad again.
    marks=(--update-labels image-before-1=,image-before-2=)
    echo "Back to $image"
  elif [ "$serves" != "$image" ]; then
    digest=${serves##*@sha256:}
    [ "${#digest}" = 64 ] || digest=
    marks=(--update-labels "image-before-1=${digest:0:32},image-before-2=${digest:32}")
    echo "The way back: $0 $1 $serves back"
  fi
fi

for part in $parts; do
  case $part in
  migrate)
    gcloud run jobs update "$name-migrate" --region "$region" --image "$image" --quiet
    gcloud run jobs execute "$name-migrate" --region "$region" --wait
    ;;
  app)
    gcloud run services update "$name-app" --region "$region" --container app --image "$image" \
      ${marks[@]+"${marks[@]}"} --quiet
    ;;
  worker)
    gcloud beta run worker-pools update "$name-worker" --region "$region" --image "$image" --quiet
    ;;
  esac
done
