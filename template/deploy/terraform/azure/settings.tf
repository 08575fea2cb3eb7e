# The app's settings: docs/settings.md. Plain ones here, secrets in the key vault.

locals {
  azure_models = contains([var.llm_provider, var.llm_fallback], "azure")
  # Azure OpenAI is billed here; other providers send their own bill.
  budget = var.infrastructure_budget + (local.azure_models ? var.monthly_budget : 0)

  # Azure's databases are signed by authorities that every system knows.
  database_url = "@${module.database.address}:5432/%s?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt"

  # Passwords come as PGPASSWORD, so that an address is no secret.
  settings = merge(
    {
      APP_ENV         = "production"
      PUBLIC_URL      = "https://${var.domain}"
      TRUSTED_PROXIES = tostring(local.proxies)
      DATABASE_URL    = "postgresql://app${format(local.database_url, "app")}"
      MAIL_BACKEND    = "smtp"
    },
    var.documents ? {
      # Azure's stores do not speak S3; a share that every process sees does as well.
      STORAGE_BACKEND = "disk"
      STORAGE_FOLDER  = "/srv/files"
    } : {},
    var.llm_provider == "azure" ? {
      LLM_BASE_URL = module.models[0].address
      LLM_MODEL    = module.models[0].deployment
    } : {},
    var.llm_fallback == "azure" ? {
      LLM_FALLBACK_BASE_URL = module.models[0].address
      LLM_FALLBACK_MODEL    = module.models[0].deployment
    } : {},
    var.settings,
  )

  # People put them into the vault before the app is made: README.md. They never stand in the state.
  keyed = ["openai", "anthropic", "google"]
  secrets = setunion(
    ["SECRET_KEY", "ENCRYPTION_KEYS"],
    contains(local.keyed, var.llm_provider) ? ["LLM_API_KEY"] : [],
    contains(local.keyed, var.llm_fallback) ? ["LLM_FALLBACK_API_KEY"] : [],
    var.secrets,
  )

  # Made by Terraform, so they do stand in the state, which is encrypted.
  made = merge(
    { for role, password in random_password.role : "DATABASE_${upper(role)}" => password.result },
    { DATABASE_POSTGRES = module.database.admin_password },
    { for files in module.files : "files" => files.key if contains(local.runtime_secrets, "files") },
    var.llm_provider == "azure" ? { LLM_API_KEY = module.models[0].key } : {},
    var.llm_fallback == "azure" ? { LLM_FALLBACK_API_KEY = module.models[0].key } : {},
  )
  made_names = concat(
    local.runtime_secrets,
    ["DATABASE_APP", "DATABASE_APP_OWNER", "DATABASE_POSTGRES"],
    var.llm_provider == "azure" ? ["LLM_API_KEY"] : [],
    var.llm_fallback == "azure" ? ["LLM_FALLBACK_API_KEY"] : [],
  )

  # What each part of the app is given: the setting, and the secret that holds it.
  app_secrets = merge(
    { for name in local.secrets : name => name },
    { for name in local.made_names : name => name if startswith(name, "LLM_") },
    { PGPASSWORD = "DATABASE_APP" },
  )
  job_secrets = {
    roles = {
      PGPASSWORD              = "DATABASE_POSTGRES"
      DATABASE_APP_PASSWORD   = "DATABASE_APP"
      DATABASE_OWNER_PASSWORD = "DATABASE_APP_OWNER"
    }
    migrate = { PGPASSWORD = "DATABASE_APP_OWNER" }
  }
}

# Reached from the network, and by people where `vault_visitors` lets them.
resource "azurerm_key_vault" "this" {
  name                          = local.short
  location                      = var.region
  resource_group_name           = azurerm_resource_group.this.name
  tenant_id                     = data.azurerm_client_config.here.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = local.production
  soft_delete_retention_days    = 90
  public_network_access_enabled = length(var.vault_visitors) > 0

  network_acls {
    default_action = "Deny"
    bypass         = "None"
    ip_rules       = var.vault_visitors
  }
}

variable "vault_visitors" {
  description = "Addresses from which people put secrets in and Terraform reads them. None: the network only."
  type        = set(string)
  default     = []
}

resource "azurerm_private_endpoint" "vault" {
  name                = "${local.name}-vault"
  location            = var.region
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = module.network.private_subnet

  private_service_connection {
    name                           = "vault"
    private_connection_resource_id = azurerm_key_vault.this.id
    subresource_names              = ["vault"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "vault"
    private_dns_zone_ids = [module.network.zones["privatelink.vaultcore.azure.net"]]
  }
}

# Who runs Terraform may write what Terraform makes.
resource "azurerm_role_assignment" "here" {
  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = data.azurerm_client_config.here.object_id
}

resource "azurerm_key_vault_secret" "made" {
  for_each = toset(local.made_names)

  key_vault_id = azurerm_key_vault.this.id
  name         = replace(each.key, "_", "-")
  value        = local.made[each.key]

  depends_on = [azurerm_role_assignment.here]
}

# The roles that `app db create-roles` makes. A new password:
# terraform apply -replace='random_password.role["app"]', then the job `roles`.
resource "random_password" "role" {
  for_each = toset(["app", "app_owner"])

  length  = 40
  special = false
}
