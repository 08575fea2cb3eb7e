# CI signs in with a token of its own and may release, and nothing else: what that is says the runtime.
# People with more rights run Terraform.

locals {
  ci_issuer = coalesce(var.ci_issuer, lookup({
    github = "https://token.actions.githubusercontent.com"
    gitlab = "https://gitlab.com"
  }, var.ci, ""), "none")
}

resource "azurerm_user_assigned_identity" "release" {
  count = var.ci_subject == "" ? 0 : 1

  name                = "${local.name}-release"
  location            = var.region
  resource_group_name = azurerm_resource_group.this.name
}

resource "azurerm_federated_identity_credential" "release" {
  count = var.ci_subject == "" ? 0 : 1

  name                = "ci"
  resource_group_name = azurerm_resource_group.this.name
  parent_id           = azurerm_user_assigned_identity.release[0].id
  issuer              = local.ci_issuer
  subject             = var.ci_subject
  audience            = ["api://AzureADTokenExchange"]

  lifecycle {
    precondition {
      condition     = startswith(local.ci_issuer, "https://")
      error_message = "ci_issuer: say who vouches for Jenkins' jobs, with https://."
    }
  }
}

# The image that is released, and its signature: nothing is started that nobody looked at.
resource "azurerm_role_assignment" "release_images" {
  count = var.ci_subject == "" ? 0 : 1

  scope                = data.azurerm_container_registry.images.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.release[0].principal_id
}

output "release_client" {
  description = "The client id that CI signs in with to release."
  value       = one(azurerm_user_assigned_identity.release[*].client_id)
}
