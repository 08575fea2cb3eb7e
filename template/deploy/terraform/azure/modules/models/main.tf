# Azure OpenAI, reached inside the network only.

resource "azurerm_cognitive_account" "this" {
  name                          = var.name
  location                      = var.region
  resource_group_name           = var.group
  kind                          = "OpenAI"
  sku_name                      = "S0"
  custom_subdomain_name         = var.name
  public_network_access_enabled = false
  # The app asks with a key.
  local_auth_enabled = true
}

resource "azurerm_cognitive_deployment" "this" {
  name                 = "app"
  cognitive_account_id = azurerm_cognitive_account.this.id

  model {
    format  = "OpenAI"
    name    = var.model.name
    version = var.model.version
  }

  sku {
    name     = var.kind
    capacity = var.model.capacity
  }
}

resource "azurerm_private_endpoint" "this" {
  name                = "${var.name}-models"
  location            = var.region
  resource_group_name = var.group
  subnet_id           = var.subnet

  private_service_connection {
    name                           = "models"
    private_connection_resource_id = azurerm_cognitive_account.this.id
    subresource_names              = ["account"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "models"
    private_dns_zone_ids = [var.zone]
  }
}
