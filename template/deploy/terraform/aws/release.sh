#!/usr/bin/env bash
# Brings an image to an environment: the migrations first, then app and worker, one after the other.
#   ./release.sh staging 123456789012.dkr.ecr.eu-central-1.amazonaws.com/demo@sha256:...
# The way back is the same command with the image before. What does not become ready is taken back by
# ECS itself, and this script fails. It needs the AWS CLI, jq and the outputs `cluster` and
# `job_network` as JSON in RELEASE (terraform output -json > release.json).
set -euo pipefail

image=${2:?usage: release.sh ENVIRONMENT IMAGE}
outputs=${RELEASE:-"$(dirname "$0")/release-$1.json"}
cluster=$(jq -r .cluster.value "$outputs")

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
network=$(jq -c '{awsvpcConfiguration: {subnets: .job_network.value.subnets,
  securityGroups: .job_network.value.security_groups, assignPublicIp: "DISABLED"}}' "$outputs")
task=$(aws ecs run-task --cluster "$cluster" --task-definition "$migrate" --launch-type FARGATE \
  --network-configuration "$network" --query 'tasks[0].taskArn' --output text)
aws ecs wait tasks-stopped --cluster "$cluster" --tasks "$task"
code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" \
  --query 'tasks[0].containers[0].exitCode' --output text)
[ "$code" = 0 ] || { echo "The migrations failed: see the log of the job migrate." >&2; exit 1; }

for service in app worker; do
  revision=$(with_image "$service")
  aws ecs update-service --cluster "$cluster" --service "$service" \
    --task-definition "$revision" --query service.serviceName --output text
  aws ecs wait services-stable --cluster "$cluster" --services "$service"
  runs=$(aws ecs describe-services --cluster "$cluster" --services "$service" \
    --query 'services[0].taskDefinition' --output text)
  [ "$runs" = "$revision" ] || { echo "$service was taken back to $runs." >&2; exit 1; }
done
