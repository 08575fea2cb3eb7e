output "cluster" {
  value = google_container_cluster.this.name
}

output "secrets_account" {
  description = "What External Secrets is in Google Cloud."
  value       = google_service_account.secrets.email
}
