output "state_bucket" {
  description = "Goes into environments/*.backend."
  value       = aws_s3_bucket.state.id
}

output "registry" {
  description = "Where images go."
  value       = aws_ecr_repository.app.repository_url
}

output "push_role" {
  description = "The role that CI takes to push images."
  value       = one(module.ci[*].role)
}
