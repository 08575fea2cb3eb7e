# PostgreSQL with pgvector, which must be let in by name; `app db create-roles` switches it on.

resource "random_password" "admin" {
  length  = 40
  special = false
}

resource "azurerm_postgresql_flexible_server" "this" {
  name                          = var.name
  location                      = var.region
  resource_group_name           = var.group
  version                       = "17"
  sku_name                      = var.sku
  storage_mb                    = var.gigabytes * 1024
  auto_grow_enabled             = true
  delegated_subnet_id           = var.subnet
  private_dns_zone_id           = var.zone
  public_network_access_enabled = false
  administrator_login           = "postgres_admin"
  administrator_password        = random_password.admin.result
  # Restores to any second of these days.
  backup_retention_days = var.production ? 35 : 7

  dynamic "high_availability" {
    for_each = var.production ? ["ZoneRedundant"] : []

    content {
      mode = high_availability.value
    }
  }

  # Azure chooses the zones, and exchanges them when one fails.
  lifecycle {
    ignore_changes = [zone, high_availability[0].standby_availability_zone]
  }
}

resource "azurerm_postgresql_flexible_server_configuration" "this" {
  for_each = {
    "azure.extensions"           = "VECTOR,PG_TRGM"
    "require_secure_transport"   = "on"
    "log_min_duration_statement" = "1000"
    # Slow statements, never what people wrote into them.
    "log_parameter_max_length" = "0"
  }

  server_id = azurerm_postgresql_flexible_server.this.id
  name      = each.key
  value     = each.value
}

# Nobody deletes it by mistake: the lock goes first.
resource "azurerm_management_lock" "this" {
  count = var.production ? 1 : 0

  name       = "keep"
  scope      = azurerm_postgresql_flexible_server.this.id
  lock_level = "CanNotDelete"
}

resource "azurerm_monitor_metric_alert" "this" {
  for_each = {
    cpu_percent        = { limit = 85, says = "The database's processors are busy" }
    storage_percent    = { limit = 85, says = "The database's disk is nearly full" }
    memory_percent     = { limit = 85, says = "The database's memory is nearly full" }
    active_connections = { limit = var.most_connections * 0.85, says = "The database's connections run out" }
  }

  name                = "${var.name}-${each.key}"
  description         = each.value.says
  resource_group_name = var.group
  scopes              = [azurerm_postgresql_flexible_server.this.id]
  window_size         = "PT15M"

  criteria {
    metric_namespace = "Microsoft.DBforPostgreSQL/flexibleServers"
    metric_name      = each.key
    aggregation      = "Average"
    operator         = "GreaterThan"
    threshold        = each.value.limit
  }

  action {
    action_group_id = var.alarms
  }
}
