output "address" {
  value = "https://${azurerm_cognitive_account.this.custom_subdomain_name}.openai.azure.com/openai/v1/"
}

output "deployment" {
  value = azurerm_cognitive_deployment.this.name
}

output "key" {
  value     = azurerm_cognitive_account.this.primary_access_key
  sensitive = true
}
