# Made once per project, before everything else, with a state of its own on your disk: keep it.

terraform {
  required_version = ">= 1.10, < 2"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region

  default_labels = { project = var.slug }
}

# What a new project has not switched on and stands below; ../main.tf switches on the rest.
resource "google_project_service" "used" {
  for_each = toset(["artifactregistry", "iam", "iamcredentials", "sts"])

  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}

# The state knows passwords of the database: never public, every version kept. It locks by itself.
resource "google_storage_bucket" "state" {
  name                        = "${var.project}-terraform"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_artifact_registry_repository" "app" {
  repository_id = var.slug
  location      = var.region
  format        = "DOCKER"
  depends_on    = [google_project_service.used]

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "old-ones-go"
    action = "DELETE"

    condition {
      older_than = "90d"
    }
  }

  cleanup_policies {
    id     = "the-last-hundred"
    action = "KEEP"

    most_recent_versions {
      keep_count = 100
    }
  }
}

# CI proves itself with a token of its own; no key is stored anywhere.

locals {
  issuer = coalesce(var.ci_issuer, lookup({
    github = "https://token.actions.githubusercontent.com"
    gitlab = "https://gitlab.com"
  }, var.ci, ""), "none")
}

resource "google_iam_workload_identity_pool" "ci" {
  count = local.issuer == "none" ? 0 : 1

  workload_identity_pool_id = "ci-jobs" # four characters at least
  depends_on                = [google_project_service.used]
}

resource "google_iam_workload_identity_pool_provider" "ci" {
  count = local.issuer == "none" ? 0 : 1

  workload_identity_pool_id          = google_iam_workload_identity_pool.ci[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "ci-jobs"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  # Of all that the issuer vouches for, only what begins like this: our own repository.
  attribute_condition = "assertion.sub.startsWith('${var.ci_repository}')"

  oidc {
    issuer_uri = local.issuer
  }
}

resource "google_service_account" "push" {
  account_id   = "${substr(var.slug, 0, 20)}-push"
  display_name = "Pushes images"
  depends_on   = [google_project_service.used]
}

resource "google_artifact_registry_repository_iam_member" "push" {
  repository = google_artifact_registry_repository.app.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.push.member
}

resource "google_service_account_iam_member" "push" {
  for_each = local.issuer == "none" ? [] : var.ci_subjects

  service_account_id = google_service_account.push.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.ci[0].name}/subject/${each.key}"
}
