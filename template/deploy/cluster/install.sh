# What cluster.sh of each cloud has in common; sourced by it, from within Terraform's folder.
# shellcheck shell=bash

# What Terraform says of the cluster. Whoever asks is often an argument of Helm's, where a failure would be an
# empty value: what is not known ends the whole script.
told() {
  terraform output -json cluster |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" || kill "$$"
}

install() { helm upgrade --install "$@" --wait --timeout 10m; }

# Sees that Terraform stands at this environment, and makes room for credentials that go afterwards.
begin() {
  environment=$1
  namespace=$(told namespace)
  case $namespace in
  *-"$environment") ;;
  *) echo "Terraform stands at $namespace: init -reconfigure for $environment first." >&2; exit 1 ;;
  esac
  KUBECONFIG=$(mktemp)
  export KUBECONFIG
  trap 'rm -f "$KUBECONFIG"' EXIT
}

# Who reads secrets; with what the cloud gives its pod.
secrets() {
  install external-secrets oci://ghcr.io/external-secrets/charts/external-secrets --version 2.11.0 \
    --namespace external-secrets --create-namespace "$@"
}

# Who brings in a version and watches it, where releases ask for that; with what the cloud minds.
rollouts() {
  if grep -q '^  strategy: rolling' ../../chart/values.yaml; then return; fi
  install argo-rollouts argo-rollouts --version 2.40.3 \
    --repo https://argoproj.github.io/argo-helm --namespace argo-rollouts --create-namespace
  # It takes up what any chart asks it to watch, and tells whom ops/alertmanager names.
  local nil=SelectorNilUsesHelmValues=false
  local people
  people=$(mktemp)
  { echo 'alertmanager:'; echo '  config:'; sed 's/^/    /' ../../../ops/alertmanager/alertmanager.yml; } >"$people"
  install kube-prometheus-stack kube-prometheus-stack --version 82.16.0 \
    --repo https://prometheus-community.github.io/helm-charts --namespace monitoring --create-namespace \
    --values "$people" \
    --set prometheus.prometheusSpec.podMonitor$nil --set prometheus.prometheusSpec.rule$nil "$@"
  rm "$people"
  python3 ../../../scripts/listeners.py
}

# The namespace, the rights of CI in it, where secrets are; and what the chart must know, to be committed.
finish() {
  install cluster ../../cluster --namespace external-secrets --set namespace="$namespace" "$@"
  local values
  values=$(terraform output -raw values)
  printf '%s\n' "$values" >"../../chart/cloud-$environment.yaml"
}
