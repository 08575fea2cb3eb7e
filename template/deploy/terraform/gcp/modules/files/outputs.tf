output "bucket" {
  value = google_storage_bucket.this.name
}

output "access_key" {
  value = google_storage_hmac_key.app.access_id
}

output "secret_key" {
  value     = google_storage_hmac_key.app.secret
  sensitive = true
}
