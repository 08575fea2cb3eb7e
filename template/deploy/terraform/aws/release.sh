#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and worker, one after the other.
#   ./release.sh staging 123456789012.dkr.ecr.eu-central-1.amazonaws.com/demo@sha256:...
#   ./release.sh staging "" back        the image before, which a label of the task knows; no migration runs
# What does not become ready is taken back by ECS itself, and this script fails. It needs the AWS CLI, signed in
# to the account, and jq. A third word does one of them only (migrate, app or worker), or goes back to IMAGE.
set -euo pipefail

image=${2?usage: release.sh ENVIRONMENT IMAGE [PART|back]}
what=${3:-}
slug=$(sed -n 's/^slug *= *"\(.*\)"/\1/p' "$(dirname "$0")/../answers.tfvars")
# As sizes.tf makes it.
cluster=${slug:0:20}
cluster=${cluster%-}-${1:0:4}

# One wait of the CLI's gives up after ten minutes; a long migration has the hour that it has in the
# other clouds.
wait_for() {
  for _ in {1..6}; do
    if aws ecs wait "$@"; then return; fi
  done
  return 1
}

# What the app that runs says of itself, or nothing.
told() {
  aws ecs describe-task-definition --query "taskDefinition.containerDefinitions[?name=='app'] | [0].$1" \
    --output json --task-definition "$(aws ecs describe-services --cluster "$cluster" --services app \
      --query 'services[0].taskDefinition' --output text)" | jq -r '. // ""'
}

parts=${what:-migrate app worker}
before=
if [ "$what" = back ]; then
  parts="app worker"
  [ -n "$image" ] || image=$(told 'dockerLabels."image-before"')
  [ -n "$image" ] || {
    echo "Amazon knows no version before, or went back to it: name the image." >&2
    exit 1
  }
  echo "Back to $image"
elif [ -z "$what" ]; then
  before=$(told image || true)
  # Once more the same: what was there before it stays.
  [ "$before" != "$image" ] || before=$(told 'dockerLabels."image-before"')
  echo "The way back: $0 $1 $before back"
fi

# A new revision of a task's newest definition, with this image. Prints its ARN.
with_image() {
  aws ecs describe-task-definition --task-definition "$cluster-$1" --query taskDefinition |
    jq --arg image "$image" --arg before "$before" '
      (.containerDefinitions[] | select(.name == "app"))
        |= (.image = $image | .dockerLabels["image-before"] = $before)
      | {family, taskRoleArn, executionRoleArn, networkMode, containerDefinitions, volumes,
         requiresCompatibilities, cpu, memory} | with_entries(select(.value != null))' |
    aws ecs register-task-definition --cli-input-json file:///dev/stdin \
      --query taskDefinition.taskDefinitionArn --output text
}

migrate() {
  migrate=$(with_image migrate)
  # The job runs where the app does.
  network=$(aws ecs describe-services --cluster "$cluster" --services app \
    --query 'services[0].networkConfiguration' --output json)
  task=$(aws ecs run-task --cluster "$cluster" --task-definition "$migrate" --launch-type FARGATE \
    --network-configuration "$network" --query 'tasks[0].taskArn' --output text)
  [ "$task" != None ] || { echo "Nothing could be started: has the account room left?" >&2; exit 1; }
  wait_for tasks-stopped --cluster "$cluster" --tasks "$task"
  # By name: a guard of the account's may stand beside it.
  code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" \
    --query "tasks[0].containers[?name=='app'] | [0].exitCode" --output text)
  [ "$code" = 0 ] || { echo "The migrations failed: see the log of the job migrate." >&2; exit 1; }
}

for part in $parts; do
  if [ "$part" = migrate ]; then
    migrate
    continue
  fi
  revision=$(with_image "$part")
  aws ecs update-service --cluster "$cluster" --service "$part" \
    --task-definition "$revision" --query service.serviceName --output text
  wait_for services-stable --cluster "$cluster" --services "$part"
  runs=$(aws ecs describe-services --cluster "$cluster" --services "$part" \
    --query 'services[0].taskDefinition' --output text)
  [ "$runs" = "$revision" ] || { echo "$part was taken back to $runs." >&2; exit 1; }
done
