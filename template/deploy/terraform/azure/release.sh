#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and worker.
#   ./release.sh staging REGISTRY.azurecr.io/app@sha256:...
#   ./release.sh staging "" back        the image before, which a tag of the app knows; no migration runs
# What does not become ready gets no requests, and this script fails. It needs the Azure CLI, signed in to the
# subscription. A third word does one of them only (migrate, app or worker), or goes back to IMAGE.
set -euo pipefail

image=${2?usage: release.sh ENVIRONMENT IMAGE [PART|back]}
what=${3:-}
slug=$(sed -n 's/^slug *= *"\(.*\)"/\1/p' "$(dirname "$0")/../answers.tfvars")
# As sizes.tf makes it; the resource group is called the same.
name=${slug:0:19}
name=${name%-}-${1:0:4}

told() { az containerapp show --resource-group "$name" --name "$name-app" --query "$1" --output tsv; }

parts=${what:-migrate app worker}
[ "$what" != back ] || parts="app worker"
marks=()
if [ "$what" = back ]; then
  [ -n "$image" ] || image=$(told 'tags."image-before"')
  [ -n "$image" ] || {
    echo "Azure knows no version before, or went back to it: name the image." >&2
    exit 1
  }
  # Who goes back twice shall not meet what was bad again.
  marks=(--tags image-before=)
  echo "Back to $image"
elif [ -z "$what" ]; then
  serves=$(az containerapp revision show --resource-group "$name" --name "$name-app" \
    --revision "$(told properties.latestReadyRevisionName)" \
    --query "properties.template.containers[?name=='app'].image | [0]" --output tsv || true)
  if [ "$serves" != "$image" ]; then
    marks=(--tags "image-before=$serves")
    echo "The way back: $0 $1 $serves back"
  fi
fi

migrate() {
  az containerapp job update --resource-group "$name" --name "$name-migrate" \
    --container-name app --image "$image" --output none
  run=$(az containerapp job start --resource-group "$name" --name "$name-migrate" \
    --query name --output tsv)
  while :; do
    status=$(az containerapp job execution show --resource-group "$name" --name "$name-migrate" \
      --job-execution-name "$run" --query properties.status --output tsv)
    case $status in
      Succeeded) break ;;
      Failed | Stopped | Degraded) echo "The migrations failed: see the log of the job." >&2; exit 1 ;;
    esac
    sleep 5
  done
}

for part in $parts; do
  if [ "$part" = migrate ]; then
    migrate
    continue
  fi
  marked=()
  [ "$part" != app ] || marked=(${marks[@]+"${marks[@]}"})
  az containerapp update --resource-group "$name" --name "$name-$part" \
    --container-name app --image "$image" ${marked[@]+"${marked[@]}"} --output none
  # Ten minutes, as a process has in the other clouds.
  for try in {1..40}; do
    ready=$(az containerapp show --resource-group "$name" --name "$name-$part" --output json \
      --query 'properties.latestRevisionName == properties.latestReadyRevisionName')
    [ "$ready" != true ] || break
    [ "$try" != 40 ] || { echo "$part did not become ready: the one before serves." >&2; exit 1; }
    sleep 15
  done
done
