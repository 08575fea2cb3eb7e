# Who may do what. Each part of the app is an identity of its own, and reads its own secrets only.

locals {
  given = merge({ app = local.app_secrets }, local.job_secrets)
  readers = merge([
    for part, secrets in local.given : {
      for secret in distinct(values(secrets)) : "${part}/${secret}" => { part = part, secret = secret }
    }
  ]...)
}

data "azurerm_container_registry" "images" {
  name                = var.registry.name
  resource_group_name = var.registry.resource_group
}

resource "azurerm_user_assigned_identity" "this" {
  for_each = toset(["app", "roles", "migrate"])

  name                = "${local.name}-${each.key}"
  location            = var.region
  resource_group_name = azurerm_resource_group.this.name
}

resource "azurerm_role_assignment" "reader" {
  for_each = local.readers

  scope                = "${azurerm_key_vault.this.id}/secrets/${replace(each.value.secret, "_", "-")}"
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.this[each.value.part].principal_id
}

resource "azurerm_role_assignment" "images" {
  for_each = azurerm_user_assigned_identity.this

  scope                = data.azurerm_container_registry.images.id
  role_definition_name = "AcrPull"
  principal_id         = each.value.principal_id
}
