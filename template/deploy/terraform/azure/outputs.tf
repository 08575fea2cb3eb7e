output "url" {
  description = "Where people reach the app."
  value       = "https://${var.domain}"
}

output "vault" {
  description = "Where the secrets go."
  value       = azurerm_key_vault.this.name
}

output "secrets" {
  description = "Secrets that people must fill before the app is made."
  value       = [for name in sort(local.secrets) : replace(name, "_", "-")]
}
