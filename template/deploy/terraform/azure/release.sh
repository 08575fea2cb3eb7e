#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and worker.
#   ./release.sh demo-stag REGISTRY.azurecr.io/app@sha256:...
# The way back is the same command with the image before. What does not become ready gets no requests.
# It needs the Azure CLI, signed in to the subscription; name and resource group are the same.
set -euo pipefail

name=$1 image=${2:?usage: release.sh NAME IMAGE}

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

for part in app worker; do
  az containerapp update --resource-group "$name" --name "$name-$part" \
    --container-name app --image "$image" --output none
done
