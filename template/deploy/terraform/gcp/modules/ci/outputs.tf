output "account" {
  value = google_service_account.release.email
}
