#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and worker.
#   ./release.sh staging REGISTRY.azurecr.io/app@sha256:...
# The way back is the same command with the image before. What does not become ready gets no requests,
# and this script fails. It needs the Azure CLI, signed in to the subscription.
# A third word does one of them only: migrate, app or worker.
set -euo pipefail

image=${2:?usage: release.sh ENVIRONMENT IMAGE [PART]}
parts=${3:-migrate app worker}
slug=$(sed -n 's/^slug *= *"\(.*\)"/\1/p' "$(dirname "$0")/../answers.tfvars")
# As sizes.tf makes it; the resource group is called the same.
name=${slug:0:19}
name=${name%-}-${1:0:4}

if [ -z "${3:-}" ]; then
  echo "The way back: $0 $1 $(az containerapp show --resource-group "$name" --name "$name-app" \
    --query "properties.template.containers[?name=='app'].image | [0]" --output tsv || true)"
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
  az containerapp update --resource-group "$name" --name "$name-$part" \
    --container-name app --image "$image" --output none
  # Ten minutes, as a process has in the other clouds.
  for try in {1..40}; do
    ready=$(az containerapp show --resource-group "$name" --name "$name-$part" --output json \
      --query 'properties.latestRevisionName == properties.latestReadyRevisionName')
    [ "$ready" != true ] || break
    [ "$try" != 40 ] || { echo "$part did not become ready: the one before serves." >&2; exit 1; }
    sleep 15
  done
done
