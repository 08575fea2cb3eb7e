output "address" {
  description = "The name that the certificate is for."
  value       = trimsuffix(google_sql_database_instance.this.dns_name, ".")
}

output "authority" {
  value = join("\n", google_sql_database_instance.this.server_ca_cert[*].cert)
}

output "admin_password" {
  value     = random_password.admin.result
  sensitive = true
}

output "ip" {
  value = google_compute_address.this.address
}
