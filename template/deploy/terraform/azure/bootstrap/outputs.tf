output "state" {
  description = "Goes into environments/*.backend."
  value       = { group = azurerm_resource_group.this.name, account = azurerm_storage_account.state.name }
}

output "registry" {
  description = "Where images go, and what environments/*.tfvars call it."
  value       = { server = azurerm_container_registry.app.login_server, name = azurerm_container_registry.app.name }
}

output "push_client" {
  description = "The client id that CI signs in with to push images."
  value       = azurerm_user_assigned_identity.push.client_id
}
