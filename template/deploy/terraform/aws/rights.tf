# What the running app may do in this account: its files, its models, no more.

data "aws_caller_identity" "here" {}

data "aws_iam_policy_document" "app" {
  dynamic "statement" {
    for_each = module.files

    content {
      sid       = "Files"
      actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
      resources = ["${statement.value.arn}/*"]
    }
  }

  dynamic "statement" {
    for_each = module.files

    content {
      sid       = "Bucket"
      actions   = ["s3:ListBucket"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = module.files

    content {
      sid       = "FilesKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [aws_kms_key.this.arn]
    }
  }

  # Which model is a setting of the app; that it is one is all that is said here.
  dynamic "statement" {
    for_each = local.bedrock ? ["models"] : []

    content {
      sid     = "Models"
      actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
      resources = [
        "arn:aws:bedrock:*::foundation-model/*",
        "arn:aws:bedrock:${var.region}:${data.aws_caller_identity.here.account_id}:inference-profile/*",
      ]
    }
  }
}

locals {
  # A policy must say something, so there is none when there is nothing to say.
  rights = var.documents || local.bedrock ? [data.aws_iam_policy_document.app.json] : []
}
