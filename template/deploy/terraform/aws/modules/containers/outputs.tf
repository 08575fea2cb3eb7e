output "security_group" {
  value = aws_security_group.this.id
}

output "cluster" {
  value = aws_ecs_cluster.this.name
}

output "task_roles" {
  description = "What a release passes on to the services and to the job `migrate`."
  value = [
    aws_iam_role.start.arn, aws_iam_role.app.arn, aws_iam_role.start_job["migrate"].arn,
  ]
}

output "log" {
  value = aws_cloudwatch_log_group.this.arn
}

output "turns" {
  description = "What says how many processes each of two services may have that take turns."
  value       = [for one in aws_appautoscaling_target.turn : one.arn]
}
