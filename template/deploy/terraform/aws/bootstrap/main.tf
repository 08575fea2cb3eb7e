# Made once per account, before everything else, with a state of its own on your disk: keep it.

terraform {
  required_version = ">= 1.10, < 2"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = var.slug }
  }
}

# The state knows passwords of the database: encrypted, never public, every version kept.

resource "aws_kms_key" "state" {
  description             = "${var.slug}: state of Terraform"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_s3_bucket" "state" {
  bucket_prefix = "${substr(var.slug, 0, 20)}-state-"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.state.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Images: never overwritten, looked at for known holes, the last hundred kept.

resource "aws_ecr_repository" "app" {
  name                 = var.slug
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
  }
}

resource "aws_ecr_lifecycle_policy" "app" {
  repository = aws_ecr_repository.app.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "The last hundred"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 100 }
      action       = { type = "expire" }
    }]
  })
}

# CI proves itself with a token of its own; no key is stored anywhere.

locals {
  issuer = coalesce(var.ci_issuer, lookup({
    github = "token.actions.githubusercontent.com"
    gitlab = "gitlab.com"
  }, var.ci, ""), "none")
}

resource "aws_iam_openid_connect_provider" "ci" {
  count = local.issuer == "none" ? 0 : 1

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "push" {
  # Amazon knows no finer resource for it.
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
      "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [aws_ecr_repository.app.arn]
  }
}

module "ci" {
  source = "../modules/ci"
  count  = local.issuer != "none" && length(var.ci_subjects) > 0 ? 1 : 0

  name     = "${substr(var.slug, 0, 20)}-push"
  issuer   = local.issuer
  subjects = var.ci_subjects
  policy   = data.aws_iam_policy_document.push.json

  depends_on = [aws_iam_openid_connect_provider.ci]
}
