output "url" {
  description = "Where people reach the app."
  value       = "https://${var.domain}"
}

output "secrets" {
  description = "Secrets that people must fill before the first start."
  value       = sort([for secret in aws_secretsmanager_secret.this : secret.name])
}
