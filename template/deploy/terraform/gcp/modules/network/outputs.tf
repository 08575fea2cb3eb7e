output "id" {
  value = google_compute_network.this.id
}

output "subnet" {
  value = google_compute_subnetwork.app.id
}

output "block" {
  description = "Of the machines."
  value       = google_compute_subnetwork.app.ip_cidr_range
}

output "google" {
  description = "Where Google's interfaces answer."
  value       = google_compute_global_address.google.address
}
