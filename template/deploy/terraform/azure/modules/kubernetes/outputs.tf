output "cluster" {
  value = azurerm_kubernetes_cluster.this.name
}

output "gateway" {
  description = "What deploy/cluster must know of it, and where its requests come from."
  value = {
    id       = azurerm_application_load_balancer.this.id
    frontend = azurerm_application_load_balancer_frontend.this.name
    firewall = azurerm_web_application_firewall_policy.this.id
    client   = azurerm_user_assigned_identity.this["gateway"].client_id
    blocks   = azurerm_subnet.gateway.address_prefixes
  }
}
