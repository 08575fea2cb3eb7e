#!/usr/bin/env bash
# Installs what the app stands on in the cluster: who reads secrets, and the way in for requests.
#   ./cluster.sh staging
# Run it after the first `terraform apply` of an environment and whenever a version changes here. It needs
# Terraform in this folder at that environment, gcloud as an owner of the project with its component
# gke-gcloud-auth-plugin, Helm and kubectl. It also writes deploy/chart/cloud-ENVIRONMENT.yaml, which you
# commit for the pipeline.
set -euo pipefail

: "${1:?usage: cluster.sh staging|production}"
cd "$(dirname "$0")"
. ../../cluster/install.sh

begin "$1"
project=$(told project)
gcloud container clusters get-credentials "$(told name)" --region "$(told region)" --project "$project"

# Pods are paid by what they ask for, and who asks for nothing is given half a processor and 2 GB.
small=()
for part in "" webhook. certController.; do
  small+=(--set "${part}resources.requests.cpu=50m" --set "${part}resources.requests.memory=128Mi")
done
secrets "${small[@]}" \
  --set "serviceAccount.annotations.iam\.gke\.io/gcp-service-account=$(told secrets_account)"
# Machines and control plane are Google's: nothing of ours may stand on them or in kube-system.
rollouts --set nodeExporter.enabled=false --set prometheusOperator.kubeletService.enabled=false \
  --set kubelet.enabled=false --set kubeControllerManager.enabled=false --set kubeScheduler.enabled=false \
  --set kubeProxy.enabled=false --set kubeEtcd.enabled=false --set coreDns.enabled=false
finish --set store.gcp.project="$project" --set google.address="$(told address)" \
  --set google.certificate="$(told certificate)" --set google.tlsPolicy="$(told tls_policy)" \
  --set releases.kind=User --set-string "releases.names={$(told releases)}"
