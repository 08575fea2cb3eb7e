terraform {
  required_version = ">= 1.10, < 2"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
    http = {
      source  = "hashicorp/http"
      version = "~> 3.5"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }

  # Its bucket is made by bootstrap/ and named in environments/*.backend.
  backend "s3" {}
}

provider "aws" {
  region = var.region

  # What a release notes about itself.
  ignore_tags {
    key_prefixes = ["release-"]
  }

  default_tags {
    tags = {
      project     = var.slug
      environment = var.environment
    }
  }
}
