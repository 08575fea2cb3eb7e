# Uploaded files, on a share that every process sees. The app encrypts each before it gets here.

resource "azurerm_storage_account" "this" {
  name                            = var.name
  location                        = var.region
  resource_group_name             = var.group
  account_tier                    = "Standard"
  account_replication_type        = var.production ? "ZRS" : "LRS"
  min_tls_version                 = "TLS1_2"
  public_network_access_enabled   = false
  allow_nested_items_to_be_public = false

  # What was deleted by mistake can be had back for a month.
  share_properties {
    retention_policy {
      days = 30
    }

    smb {
      versions                = ["SMB3.1.1"]
      channel_encryption_type = ["AES-256-GCM"]
    }
  }
}

resource "azurerm_storage_share" "this" {
  name               = "files"
  storage_account_id = azurerm_storage_account.this.id
  quota              = 1024
}

resource "azurerm_private_endpoint" "this" {
  name                = "${var.name}-files"
  location            = var.region
  resource_group_name = var.group
  subnet_id           = var.subnet

  private_service_connection {
    name                           = "files"
    private_connection_resource_id = azurerm_storage_account.this.id
    subresource_names              = ["file"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "files"
    private_dns_zone_ids = [var.zone]
  }
}
