# What a runtime stands on. containers.tf or kubernetes.tf adds what runs the app.

data "azurerm_client_config" "here" {}

resource "azurerm_resource_group" "this" {
  name     = local.name
  location = var.region
  tags     = { project = var.slug, environment = var.environment }
}

resource "azurerm_log_analytics_workspace" "this" {
  name                = local.name
  location            = var.region
  resource_group_name = azurerm_resource_group.this.name
  sku                 = "PerGB2018"
  retention_in_days   = 60
}

module "network" {
  source = "./modules/network"

  name       = local.name
  group      = azurerm_resource_group.this.name
  region     = var.region
  network    = var.network
  delegation = local.delegation
  zones = concat(
    ["privatelink.vaultcore.azure.net", "${local.name}.private.postgres.database.azure.com"],
    var.documents ? ["privatelink.file.core.windows.net"] : [],
    local.azure_models ? ["privatelink.openai.azure.com"] : [],
  )
}

module "database" {
  source = "./modules/database"

  name             = "${local.name}-${random_string.unique.result}"
  group            = azurerm_resource_group.this.name
  region           = var.region
  sku              = local.database.sku
  most_connections = local.database.connections
  gigabytes        = local.database_gigabytes
  production       = local.production
  subnet           = module.network.database_subnet
  zone             = module.network.zones["${local.name}.private.postgres.database.azure.com"]
  alarms           = module.monitoring.group
}

module "files" {
  source = "./modules/files"
  count  = var.documents ? 1 : 0

  name       = local.short
  group      = azurerm_resource_group.this.name
  region     = var.region
  production = local.production
  subnet     = module.network.private_subnet
  zone       = module.network.zones["privatelink.file.core.windows.net"]
}

module "models" {
  source = "./modules/models"
  count  = local.azure_models ? 1 : 0

  name   = "${local.name}-${random_string.unique.result}"
  group  = azurerm_resource_group.this.name
  region = var.region
  model  = var.model
  # Answers are computed where data may live: DataZone stays in the EU or the US, Standard in the region.
  kind   = var.data_location == "anywhere" ? "GlobalStandard" : "DataZoneStandard"
  subnet = module.network.private_subnet
  zone   = module.network.zones["privatelink.openai.azure.com"]
}

module "monitoring" {
  source = "./modules/monitoring"

  name         = local.name
  group        = azurerm_resource_group.this.name
  groups       = local.groups
  subscription = var.subscription
  email        = var.alert_email
  budget       = local.budget
}
