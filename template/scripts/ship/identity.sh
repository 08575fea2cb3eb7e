#!/usr/bin/env bash
# Signs in where the release goes, as this pipeline and without a kept key: IDENTITY says how.
#   aws:ROLE_ARN:REGION[:CLUSTER]
#   gcp:PROVIDER:SERVICE_ACCOUNT:PROJECT[:CLUSTER:REGION]     PROVIDER is projects/N/locations/…
#   azure:CLIENT_ID:TENANT_ID:SUBSCRIPTION_ID[:CLUSTER:GROUP]
# Empty: an own cluster, whose kubeconfig is in KUBECONFIG_TEXT, or the machine that MACHINE names, with
# a key of its own in MACHINE_KEY and what `ssh-keyscan` says of it in MACHINE_KNOWN.
# Jenkins hands in one secret, SIGN_IN: the token, the kubeconfig or the machine's key.
set -euo pipefail

# Where the steps after this one read their environment; elsewhere it is sourced.
keep() {
  export "${1?}=$2"
  if [ -n "${GITHUB_ENV:-}" ]; then echo "$1=$2" >>"$GITHUB_ENV"; fi
}

# GitLab and Jenkins hand the token in; GitHub is asked, for the audience that the cloud expects.
token() {
  if [ -n "${OIDC_TOKEN:-${SIGN_IN:-}}" ]; then
    printf %s "${OIDC_TOKEN:-$SIGN_IN}"
    return
  fi
  curl --fail --silent --show-error --header "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \
    "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["value"], end="")'
}

umask 077
folder=$(mktemp -d)
# What runs a pipeline of GitHub or GitLab is thrown away afterwards; an agent of Jenkins stays.
[ -n "${GITHUB_ENV:-}${GITLAB_CI:-}" ] || trap 'rm -rf "$folder"' EXIT
IFS=: read -r kind first second third fourth fifth <<<"${IDENTITY:-}"
case "$kind" in
aws)
  # An ARN has colons of its own: aws:arn:aws:iam::N:role/NAME:REGION[:CLUSTER]
  role=$(printf %s "$IDENTITY" | cut -d: -f2-7)
  region=$(printf %s "$IDENTITY" | cut -d: -f8)
  cluster=$(printf %s "$IDENTITY" | cut -d: -f9)
  token sts.amazonaws.com >"$folder/token"
  keep AWS_ROLE_ARN "$role"
  keep AWS_REGION "$region"
  keep AWS_WEB_IDENTITY_TOKEN_FILE "$folder/token"
  # A name of its own, else the command line takes what it kept of the sign-in before and its hour.
  keep AWS_ROLE_SESSION_NAME "release-$(date +%s)-$$"
  if [ -n "$cluster" ]; then
    keep KUBECONFIG "$folder/kubeconfig"
    aws eks update-kubeconfig --region "$region" --name "$cluster"
  fi
  ;;
gcp)
  token "https://iam.googleapis.com/$first" >"$folder/token"
  gcloud iam workload-identity-pools create-cred-config "$first" --service-account="$second" \
    --credential-source-file="$folder/token" --output-file="$folder/credentials.json"
  keep GOOGLE_APPLICATION_CREDENTIALS "$folder/credentials.json"
  gcloud auth login --quiet --cred-file="$folder/credentials.json"
  gcloud config set project "$third"
  if [ -n "$fourth" ]; then
    keep KUBECONFIG "$folder/kubeconfig"
    gcloud container clusters get-credentials "$fourth" --region "$fifth"
  fi
  ;;
azure)
  az login --service-principal --username "$first" --tenant "$second" \
    --federated-token "$(token api://AzureADTokenExchange)" --output none
  az account set --subscription "$third"
  if [ -n "$fourth" ]; then
    keep KUBECONFIG "$folder/kubeconfig"
    az aks get-credentials --name "$fourth" --resource-group "$fifth" --file "$folder/kubeconfig"
    # The cluster has no accounts of its own: who signed in above is asked for a token each time.
    kubelogin convert-kubeconfig --login azurecli --kubeconfig "$folder/kubeconfig"
  fi
  ;;
"")
  key=${MACHINE_KEY:-${MACHINE:+${SIGN_IN:-}}}
  text=${KUBECONFIG_TEXT:-${SIGN_IN:-}}
  if [ -n "$key" ]; then
    printf '%s\n' "$key" >"$folder/key"
    printf '%s\n' "${MACHINE_KNOWN:?is not set: what ssh-keyscan says of the machine}" >"$folder/known"
    keep MACHINE_SSH "-i $folder/key -o UserKnownHostsFile=$folder/known -o StrictHostKeyChecking=yes"
  elif [ -n "$text" ]; then
    printf '%s\n' "$text" >"$folder/kubeconfig"
    keep KUBECONFIG "$folder/kubeconfig"
  fi
  ;;
*)
  echo "IDENTITY: $kind is not one of aws, gcp, azure" >&2
  exit 1
  ;;
esac
# The registry, also with the image's name behind it: where the image goes, and its signature is looked at.
# A cloud's own one is opened by who signed in above.
registry=${REGISTRY_HOST:-}
registry=${registry%%/*} user=${REGISTRY_USR:-} password=${REGISTRY_PSW:-}
case "$registry" in
*.dkr.ecr.*.amazonaws.com)
  user=AWS
  password=$(aws ecr get-login-password --region "$(printf %s "$registry" | cut -d. -f4)")
  ;;
*-docker.pkg.dev)
  user=oauth2accesstoken
  password=$(gcloud auth print-access-token)
  ;;
*.azurecr.io)
  user=00000000-0000-0000-0000-000000000000
  password=$(az acr login --name "${registry%%.*}" --expose-token --query accessToken --output tsv)
  ;;
esac
if [ -n "$registry" ] && [ -n "$password" ]; then
  printf %s "$password" | cosign login "$registry" --username "$user" --password-stdin
fi
# Who sources this goes on with names that may well be unset.
set +u
