terraform {
  required_version = ">= 1.10, < 2"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }

  # Its bucket is made by bootstrap/ and named in environments/*.backend; it locks by itself.
  backend "gcs" {}
}

provider "google" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true

  default_labels = {
    project     = var.slug
    environment = var.environment
  }
}
