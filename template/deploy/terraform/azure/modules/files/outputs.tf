output "account" {
  value = azurerm_storage_account.this.name
}

output "share" {
  value = azurerm_storage_share.this.name
}

output "key" {
  value     = azurerm_storage_account.this.primary_access_key
  sensitive = true
}
