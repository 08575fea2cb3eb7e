# Who may do what. Who reads secrets is an identity of its own, and reads those that it is given only:
# local.given, by the runtime.

locals {
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
  for_each = local.given

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
