output "name" {
  value = azurerm_virtual_network.this.name
}

output "containers_subnet" {
  value = azurerm_subnet.containers.id
  # What runs there needs its way out.
  depends_on = [
    azurerm_nat_gateway_public_ip_association.this, azurerm_subnet_nat_gateway_association.containers,
  ]
}

output "database_blocks" {
  value = azurerm_subnet.database.address_prefixes
}

output "private_blocks" {
  value = azurerm_subnet.private.address_prefixes
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

output "way_out" {
  description = "Where calls to others come from."
  value       = azurerm_public_ip.way_out.ip_address
}
