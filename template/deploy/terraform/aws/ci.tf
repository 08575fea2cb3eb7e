# What CI may do here: release, and nothing else. People with more rights run Terraform.

locals {
  ci_issuer = coalesce(var.ci_issuer, lookup({
    github = "token.actions.githubusercontent.com"
    gitlab = "gitlab.com"
  }, var.ci, ""), "none")
}

variable "ci_issuer" {
  description = "Who vouches for jobs of CI; empty: GitHub or gitlab.com, as answered."
  type        = string
  default     = ""
}

variable "ci_subjects" {
  description = "Jobs that may release here, such as repo:acme/app:environment:production. None: nobody."
  type        = list(string)
  default     = []
}

# The image that is released, and its signature: nothing is started that nobody looked at.
data "aws_iam_policy_document" "ci" {
  source_policy_documents = [data.aws_iam_policy_document.release.json]

  # Amazon knows no finer resource for it.
  statement {
    sid       = "Registry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Images"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = ["arn:aws:ecr:${var.region}:${data.aws_caller_identity.here.account_id}:repository/${var.slug}"]
  }
}

module "ci" {
  source = "./modules/ci"
  count  = length(var.ci_subjects) > 0 ? 1 : 0

  name     = "${local.name}-release"
  issuer   = local.ci_issuer
  subjects = var.ci_subjects
  policy   = data.aws_iam_policy_document.ci.json
}

output "release_role" {
  description = "The role that CI takes to release."
  value       = one(module.ci[*].role)
}
