# By id for Terraform, by name for a Gateway in a cluster.

output "ids" {
  value = {
    address     = google_compute_global_address.this.id
    certificate = google_compute_managed_ssl_certificate.this.id
    tls_policy  = google_compute_ssl_policy.this.id
    firewall    = google_compute_security_policy.this.id
  }
}

output "names" {
  value = {
    address     = google_compute_global_address.this.name
    certificate = google_compute_managed_ssl_certificate.this.name
    tls_policy  = google_compute_ssl_policy.this.name
    firewall    = google_compute_security_policy.this.name
  }
}
