# The app on AKS behind Application Gateway for Containers: the chart in deploy/chart, what it stands on in
# deploy/cluster. How the two get there is told by kubernetes.md.

variable "cluster_clients" {
  description = "Blocks of addresses that may speak to Kubernetes' API. None: it has a private address only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.cluster_clients : try(tonumber(split("/", one)[1]), 0) >= 16])
    error_message = "cluster_clients are few, such as 203.0.113.7/32; a /16 is the widest."
  }
}

variable "cluster_administrators" {
  description = "Object ids of groups in Entra that may do everything in the cluster; who runs cluster.sh is in one."
  type        = list(string)
  default     = []
}

locals {
  delegation = null
  # The gateway, which writes down who asked.
  proxies = 1
  # The share's key is read by the cluster and not by the app.
  runtime_secrets = var.documents ? ["files"] : []
  # What it costs lies in two groups: Azure puts the machines into one of its own.
  node_group = "${local.name}-nodes"
  groups     = [local.name, local.node_group]
  # One identity reads for all pods: External Secrets'.
  given = {
    secrets = {
      for name in distinct(concat(
        values(local.app_secrets), values(local.job_secrets.roles), values(local.job_secrets.migrate),
        local.runtime_secrets,
      )) : name => name
    }
  }

  # Half a processor is asked for by an app, a quarter by a worker or the scanner, and about one on each
  # node by what runs the cluster.
  node        = local.production ? "Standard_D4ds_v5" : "Standard_D2ds_v5"
  nodes_least = 2
  nodes_most = max(3, ceil(
    (local.app_most * 0.5 + local.worker_most * 0.25 + 1.25) / (local.production ? 2.8 : 0.8)
  ))

  # As scripts/ship/release.py names it.
  namespace = "${var.slug}-${var.environment}"

  in_vault = {
    for whose, secrets in merge({ app = local.app_secrets }, local.job_secrets) : whose => {
      for setting, secret in secrets : setting => { key = replace(secret, "_", "-") }
    }
  }
}

module "kubernetes" {
  source = "./modules/kubernetes"

  name           = local.name
  namespace      = local.namespace
  worker         = "${var.slug}-worker"
  group          = azurerm_resource_group.this.name
  group_id       = azurerm_resource_group.this.id
  region         = var.region
  node_group     = local.node_group
  tenant         = data.azurerm_client_config.here.tenant_id
  subnet         = module.network.containers_subnet
  network        = { name = module.network.name, addresses = var.network, way_out = module.network.way_out }
  clients        = var.cluster_clients
  administrators = var.cluster_administrators
  releases       = azurerm_user_assigned_identity.release[*].principal_id
  registry       = data.azurerm_container_registry.images.id
  secrets        = azurerm_user_assigned_identity.this["secrets"].id
  machine        = local.node
  nodes          = { least = local.nodes_least, most = local.nodes_most }
  production     = local.production
  logs           = azurerm_log_analytics_workspace.this.id
  domain         = var.domain
  dns_zone       = var.dns_zone
  dns_group      = var.dns_resource_group
  alarms         = module.monitoring.group
}

# What the chart must know of this cloud; it goes to deploy/chart/cloud-ENVIRONMENT.yaml and holds no secret.
output "values" {
  description = "Values of the chart that Terraform knows."
  value = yamlencode({
    host     = var.domain
    settings = local.settings
    jobs = {
      settings = {
        DATABASE_ADMIN_URL = "postgresql://${module.database.admin_login}${format(local.database_url, "postgres")}"
        DATABASE_OWNER_URL = "postgresql://app_owner${format(local.database_url, "app")}"
      }
    }
    secrets = {
      external = {
        app   = local.in_vault.app
        owner = local.in_vault.migrate
        admin = local.in_vault.roles
      }
    }
    app    = { replicas = local.app_least, mostReplicas = local.app_most }
    worker = { replicas = local.worker_least, mostReplicas = local.worker_most }
    files  = { claim = var.documents ? "files" : "" }
    # The gateway asks the pods, from a layer of its own.
    entry = { blocks = module.kubernetes.gateway.blocks }
    network = {
      database = { port = 5432, blocks = module.network.database_blocks, namespaces = [] }
      # With Azure OpenAI, the private way to the models.
      cloud = local.azure_models ? [{ blocks = module.network.private_blocks, port = 443 }] : []
    }
  })
}

# What cluster.sh must know.
output "cluster" {
  description = "Where what the app stands on is installed."
  value = {
    name            = module.kubernetes.cluster
    group           = azurerm_resource_group.this.name
    subscription    = var.subscription
    namespace       = local.namespace
    tenant          = data.azurerm_client_config.here.tenant_id
    vault           = trimsuffix(azurerm_key_vault.this.vault_uri, "/")
    secrets         = azurerm_user_assigned_identity.this["secrets"].client_id
    releases        = join("", azurerm_user_assigned_identity.release[*].principal_id)
    domain          = var.domain
    email           = var.alert_email
    controller      = module.kubernetes.gateway.client
    gateway         = module.kubernetes.gateway.id
    frontend        = module.kubernetes.gateway.frontend
    firewall        = module.kubernetes.gateway.firewall
    storage_account = join("", module.files[*].account)
    storage_share   = join("", module.files[*].share)
  }
}
