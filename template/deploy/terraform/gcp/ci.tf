# What CI may do here: release, and nothing else. People with more rights run Terraform.

module "ci" {
  source = "./modules/ci"
  count  = length(var.ci_principals) > 0 ? 1 : 0

  name       = local.name
  region     = var.region
  principals = var.ci_principals
  repository = var.slug
}

output "release_account" {
  description = "The account that CI takes to release."
  value       = one(module.ci[*].account)
}
