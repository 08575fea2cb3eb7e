#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and worker, one after the other.
#   ./release.sh staging 123456789012.dkr.ecr.eu-central-1.amazonaws.com/demo@sha256:...
# The way back is the same command with the image before. What does not become ready is taken back by
# ECS itself, and this script fails. It needs the AWS CLI, signed in to the account, and jq.
set -euo pipefail

image=${2:?usage: release.sh ENVIRONMENT IMAGE}
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

before=$(aws ecs describe-services --cluster "$cluster" --services app \
  --query 'services[0].taskDefinition' --output text)
echo "The way back: $0 $1 $(aws ecs describe-task-definition --task-definition "$before" \
  --query "taskDefinition.containerDefinitions[?name=='app'].image | [0]" --output text || true)"

# A new revision of a task's newest definition, with this image. Prints its ARN.
with_image() {
  aws ecs describe-task-definition --task-definition "$cluster-$1" --query taskDefinition |
    jq --arg image "$image" '
      (.containerDefinitions[] | select(.name == "app") | .image) = $image
      | {family, taskRoleArn, executionRoleArn, networkMode, containerDefinitions, volumes,
         requiresCompatibilities, cpu, memory} | with_entries(select(.value != null))' |
    aws ecs register-task-definition --cli-input-json file:///dev/stdin \
      --query taskDefinition.taskDefinitionArn --output text
}

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

for service in app worker; do
  revision=$(with_image "$service")
  aws ecs update-service --cluster "$cluster" --service "$service" \
    --task-definition "$revision" --query service.serviceName --output text
  wait_for services-stable --cluster "$cluster" --services "$service"
  runs=$(aws ecs describe-services --cluster "$cluster" --services "$service" \
    --query 'services[0].taskDefinition' --output text)
  [ "$runs" = "$revision" ] || { echo "$service was taken back to $runs." >&2; exit 1; }
done
