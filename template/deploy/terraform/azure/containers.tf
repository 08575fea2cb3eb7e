# The app on Container Apps behind Front Door with a firewall.

variable "image" {
  description = "The image of the first start, by digest or tag; later releases are release.sh's."
  type        = string
}

locals {
  delegation = "Microsoft.App/environments"
  # Front Door, and what stands before the containers.
  proxies         = 2
  runtime_secrets = []
  groups          = [local.name]
  # App and jobs are identities of their own.
  given = merge({ app = local.app_secrets }, local.job_secrets)

  vault = trimsuffix(azurerm_key_vault.this.vault_uri, "/")
  in_vault = {
    for part, secrets in local.given : part => {
      for name, secret in secrets : name => "${local.vault}/secrets/${replace(secret, "_", "-")}"
    }
  }
}

module "containers" {
  source = "./modules/containers"

  name       = local.name
  group      = azurerm_resource_group.this.name
  region     = var.region
  image      = var.image
  registry   = data.azurerm_container_registry.images.login_server
  subnet     = module.network.containers_subnet
  logs       = azurerm_log_analytics_workspace.this.id
  alarms     = module.monitoring.group
  documents  = var.documents
  production = local.production
  split      = var.release_strategy != "rolling"
  files = {
    account = one(module.files[*].account)
    share   = one(module.files[*].share)
    key     = one(module.files[*].key)
  }
  identities = { for part, identity in azurerm_user_assigned_identity.this : part => identity.id }
  settings = merge(
    local.settings,
    # It runs beside each process and listens to nobody else.
    var.documents ? { DOCUMENTS_SCANNER = "tcp://localhost:3310" } : {},
    # What the new version is judged by while few people have it.
    var.release_strategy == "rolling" ? {} : { METRICS_LOG_SECONDS = "60" },
  )
  secrets = local.in_vault.app
  app     = { least = local.app_least, most = local.app_most }
  worker  = { least = local.worker_least, most = local.worker_most }
  jobs = {
    roles = {
      command  = ["app", "db", "create-roles"]
      settings = { DATABASE_ADMIN_URL = "postgresql://${module.database.admin_login}${format(local.database_url, "postgres")}" }
      secrets  = local.in_vault.roles
    }
    migrate = {
      command  = ["app", "db", "upgrade"]
      settings = { DATABASE_OWNER_URL = "postgresql://app_owner${format(local.database_url, "app")}" }
      secrets  = local.in_vault.migrate
    }
  }

  depends_on = [
    azurerm_role_assignment.reader, azurerm_role_assignment.images, azurerm_private_endpoint.vault,
    azurerm_key_vault_secret.made,
  ]
}

module "edge" {
  source = "./modules/edge"

  name        = local.name
  group       = azurerm_resource_group.this.name
  region      = var.region
  host        = module.containers.host
  environment = module.containers.environment
  domain      = var.domain
  dns_zone    = var.dns_zone
  dns_group   = var.dns_resource_group
  alarms      = module.monitoring.group

  requests_a_minute = local.requests_a_minute
}

resource "azurerm_role_assignment" "images" {
  for_each = azurerm_user_assigned_identity.this

  scope                = data.azurerm_container_registry.images.id
  role_definition_name = "AcrPull"
  principal_id         = each.value.principal_id
}

# CI may bring a new image to these three.
resource "azurerm_role_assignment" "release" {
  count = var.ci_subject == "" ? 0 : 3

  scope                = module.containers.released[count.index]
  role_definition_name = count.index < 2 ? "Container Apps Contributor" : "Container Apps Jobs Contributor"
  principal_id         = azurerm_user_assigned_identity.release[0].principal_id
}

# A release that is watched reads what the app counted, in its log: the tables of containers, which Azure counts
# among custom ones, and no other of the workspace.
resource "azurerm_role_definition" "figures" {
  count = var.ci_subject != "" && var.release_strategy != "rolling" ? 1 : 0

  name        = "${local.name}-figures"
  description = "Reads what containers write"
  scope       = azurerm_resource_group.this.id

  permissions {
    actions = [
      "Microsoft.OperationalInsights/workspaces/read",
      "Microsoft.OperationalInsights/workspaces/query/read",
      "Microsoft.OperationalInsights/workspaces/query/Tables.Custom/read",
    ]
  }
}

resource "azurerm_role_assignment" "figures" {
  count = length(azurerm_role_definition.figures)

  scope              = azurerm_log_analytics_workspace.this.id
  role_definition_id = azurerm_role_definition.figures[count.index].role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.release[0].principal_id
}
