# Made once per subscription, before everything else, with a state of its own on your disk: keep it.

terraform {
  required_version = ">= 1.10, < 2"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.55"
    }
  }
}

provider "azurerm" {
  subscription_id     = var.subscription
  storage_use_azuread = true

  features {
    # The account takes no keys, and whoever makes it has no right to what is in it yet.
    storage {
      data_plane_available = false
    }
  }
}

resource "azurerm_resource_group" "this" {
  name     = "${var.slug}-terraform"
  location = var.region
}

# The state knows passwords of the database: nothing but people and roles gets in, every version is kept.
resource "azurerm_storage_account" "state" {
  #checkov:skip=CKV_AZURE_59:it is there before any network is, and takes no keys
  name                            = var.state_account
  location                        = var.region
  resource_group_name             = azurerm_resource_group.this.name
  account_tier                    = "Standard"
  account_replication_type        = "ZRS"
  min_tls_version                 = "TLS1_2"
  shared_access_key_enabled       = false
  allow_nested_items_to_be_public = false
  default_to_oauth_authentication = true

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = 90
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "state" {
  name               = "state"
  storage_account_id = azurerm_storage_account.state.id
}

resource "azurerm_container_registry" "app" {
  name                = "${replace(var.slug, "-", "")}${substr(var.state_account, 0, 6)}"
  location            = var.region
  resource_group_name = azurerm_resource_group.this.name
  sku                 = "Standard"
  admin_enabled       = false
}

# CI proves itself with a token of its own; no key is stored anywhere.

locals {
  ci_issuer = coalesce(var.ci_issuer, lookup({
    github = "https://token.actions.githubusercontent.com"
    gitlab = "https://gitlab.com"
  }, var.ci, ""), "none")
}

resource "azurerm_user_assigned_identity" "push" {
  name                = "${var.slug}-push"
  location            = var.region
  resource_group_name = azurerm_resource_group.this.name
}

resource "azurerm_federated_identity_credential" "push" {
  count = var.ci_subject == "" ? 0 : 1

  name                = "ci"
  resource_group_name = azurerm_resource_group.this.name
  parent_id           = azurerm_user_assigned_identity.push.id
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

resource "azurerm_role_assignment" "push" {
  scope                = azurerm_container_registry.app.id
  role_definition_name = "AcrPush"
  principal_id         = azurerm_user_assigned_identity.push.principal_id
}
