output "containers_subnet" {
  value = azurerm_subnet.containers.id
}

output "database_subnet" {
  value = azurerm_subnet.database.id
}

output "private_subnet" {
  value = azurerm_subnet.private.id
}

output "zones" {
  value      = { for name, zone in azurerm_private_dns_zone.this : name => zone.id }
  depends_on = [azurerm_private_dns_zone_virtual_network_link.this]
}
