output "account" {
  value = google_service_account.release.email
}

output "member" {
  value = google_service_account.release.member
}

output "id" {
  description = "What Kubernetes calls it when its token does not say an address."
  value       = google_service_account.release.unique_id
}
