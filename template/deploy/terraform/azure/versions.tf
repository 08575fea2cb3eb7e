terraform {
  required_version = ">= 1.10, < 2"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.55"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }

  # Its container is made by bootstrap/ and named in environments/*.backend; it locks by itself.
  backend "azurerm" {}
}

provider "azurerm" {
  subscription_id = var.subscription
  # Besides those that the provider registers by itself: a new subscription knows neither.
  resource_providers_to_register = ["Microsoft.App", "Microsoft.ServiceNetworking"]

  features {
    # The share's account answers inside the network only, and Terraform asks Azure about it, not itself.
    storage {
      data_plane_available = false
    }

    key_vault {
      purge_soft_delete_on_destroy = false
    }
  }
}
