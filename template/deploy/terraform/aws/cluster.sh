#!/usr/bin/env bash
# Installs what the app stands on in the cluster: who reads secrets, who brings requests, who adds nodes.
#   ./cluster.sh staging
# Run it after the first `terraform apply` of an environment and whenever a version changes here. It needs
# Terraform in this folder at that environment, the AWS CLI as one of cluster_administrators, Helm and
# kubectl. It also writes deploy/chart/cloud-ENVIRONMENT.yaml, which you commit for the pipeline.
set -euo pipefail

environment=${1:?usage: cluster.sh staging|production}
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
told() { terraform output -json cluster | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
name=$(told name)
region=$(told region)
network=$(told network)
namespace=$(told namespace)
case $namespace in
*-"$environment") ;;
*) echo "Terraform stands at $namespace: init -reconfigure for $environment first." >&2; exit 1 ;;
esac

KUBECONFIG=$(mktemp)
export KUBECONFIG
trap 'rm -f "$KUBECONFIG"' EXIT
aws eks update-kubeconfig --region "$region" --name "$name" --kubeconfig "$KUBECONFIG"

install() { helm upgrade --install "$@" --wait --timeout 10m; }
install external-secrets oci://ghcr.io/external-secrets/charts/external-secrets --version 2.11.0 \
  --namespace external-secrets --create-namespace
install aws-load-balancer-controller aws-load-balancer-controller --version 1.17.1 \
  --repo https://aws.github.io/eks-charts --namespace kube-system \
  --set clusterName="$name" --set region="$region" --set vpcId="$network"
install cluster-autoscaler cluster-autoscaler --version 9.59.0 \
  --repo https://kubernetes.github.io/autoscaler --namespace kube-system \
  --set autoDiscovery.clusterName="$name" --set awsRegion="$region" \
  --set rbac.serviceAccount.name=cluster-autoscaler --set fullnameOverride=cluster-autoscaler
if ! grep -q '^  strategy: rolling' "$here/../../chart/values.yaml"; then
  install argo-rollouts argo-rollouts --version 2.40.3 \
    --repo https://argoproj.github.io/argo-helm --namespace argo-rollouts --create-namespace
  # It takes up what any chart asks it to watch.
  nil=SelectorNilUsesHelmValues=false
  install kube-prometheus-stack kube-prometheus-stack --version 82.16.0 \
    --repo https://prometheus-community.github.io/helm-charts --namespace monitoring --create-namespace \
    --set prometheus.prometheusSpec.podMonitor$nil --set prometheus.prometheusSpec.rule$nil
fi
install cluster "$here/../../cluster" --namespace kube-system \
  --set namespace="$namespace" --set store.aws.region="$region"

terraform output -raw values >"$here/../../chart/cloud-$environment.yaml"
