output "url" {
  description = "Where people reach the app."
  value       = "https://${var.domain}"
}

output "secrets" {
  description = "Secrets that people must fill before the first start."
  value       = [for name in sort(local.secrets) : "${local.name}-${name}"]
}
