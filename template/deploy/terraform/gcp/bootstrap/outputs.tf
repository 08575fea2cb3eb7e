output "state_bucket" {
  description = "Goes into environments/*.backend."
  value       = google_storage_bucket.state.name
}

output "registry" {
  description = "Where images go."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.app.repository_id}"
}

output "pool" {
  description = "Goes into ci_principals, before /subject/."
  value       = one(google_iam_workload_identity_pool.ci[*].name)
}

output "push_account" {
  description = "The account that CI takes to push images."
  value       = google_service_account.push.email
}
