#!/usr/bin/env bash
# Installs what the app stands on in the cluster: who reads secrets, who brings requests, who adds nodes.
#   ./cluster.sh staging
# Run it after the first `terraform apply` of an environment and whenever a version changes here. It needs
# Terraform in this folder at that environment, the AWS CLI as one of cluster_administrators, Helm and
# kubectl. It also writes deploy/chart/cloud-ENVIRONMENT.yaml, which you commit for the pipeline.
set -euo pipefail

: "${1:?usage: cluster.sh staging|production}"
cd "$(dirname "$0")"
. ../../cluster/install.sh

begin "$1"
name=$(told name)
region=$(told region)
network=$(told network)
aws eks update-kubeconfig --region "$region" --name "$name" --kubeconfig "$KUBECONFIG"

secrets
install aws-load-balancer-controller aws-load-balancer-controller --version 1.17.1 \
  --repo https://aws.github.io/eks-charts --namespace kube-system \
  --set clusterName="$name" --set region="$region" --set vpcId="$network"
install cluster-autoscaler cluster-autoscaler --version 9.59.0 \
  --repo https://kubernetes.github.io/autoscaler --namespace kube-system \
  --set autoDiscovery.clusterName="$name" --set awsRegion="$region" \
  --set rbac.serviceAccount.name=cluster-autoscaler --set fullnameOverride=cluster-autoscaler
rollouts
finish --set store.aws.region="$region"
