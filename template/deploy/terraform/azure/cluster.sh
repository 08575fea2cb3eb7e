#!/usr/bin/env bash
# Installs what the app stands on in the cluster: who reads secrets, who brings requests, who keeps the
# certificate new.
#   ./cluster.sh staging
# Run it after the first `terraform apply` of an environment and whenever a version changes here. It needs
# Terraform in this folder at that environment, the Azure CLI signed in as one of cluster_administrators,
# kubelogin, Helm and kubectl. It also writes deploy/chart/cloud-ENVIRONMENT.yaml, which you commit for
# the pipeline.
set -euo pipefail

: "${1:?usage: cluster.sh staging|production}"
cd "$(dirname "$0")"
. ../../cluster/install.sh

begin "$1"
az aks get-credentials --subscription "$(told subscription)" --resource-group "$(told group)" \
  --name "$(told name)" --file "$KUBECONFIG"
kubelogin convert-kubeconfig --login azurecli --kubeconfig "$KUBECONFIG"

secrets --set-string "serviceAccount.annotations.azure\.workload\.identity/client-id=$(told secrets)"
# It brings the Gateway API, which cert-manager looks for when it starts.
install alb-controller oci://mcr.microsoft.com/application-lb/charts/alb-controller --version 1.13.0 \
  --namespace kube-system --set albController.namespace=azure-alb-system \
  --set-string albController.podIdentity.clientID="$(told controller)"
install cert-manager oci://quay.io/jetstack/charts/cert-manager --version v1.20.2 \
  --namespace cert-manager --create-namespace --set crds.enabled=true --set config.enableGatewayAPI=true
rollouts
finish --set store.azure.vault="$(told vault)" --set store.azure.tenant="$(told tenant)" \
  --set releases.kind=User --set releases.names="{$(told releases)}" \
  --set gateway.id="$(told gateway)" --set gateway.frontend="$(told frontend)" \
  --set gateway.firewall="$(told firewall)" --set gateway.domain="$(told domain)" \
  --set gateway.email="$(told email)" \
  --set files.account="$(told storage_account)" --set files.share="$(told storage_share)"
