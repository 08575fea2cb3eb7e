variable "slug" {
  description = "The project's name for machines."
  type        = string
}

variable "project" {
  description = "The project in Google Cloud."
  type        = string
}

variable "region" {
  description = "Where everything runs."
  type        = string
}

variable "ci" {
  description = "What runs the checks: github, gitlab or jenkins."
  type        = string
}

variable "ci_issuer" {
  description = "Who vouches for jobs of CI, with https://; empty: GitHub or gitlab.com, as answered."
  type        = string
  default     = ""
}

variable "ci_repository" {
  description = "How subjects of our own jobs begin, such as repo:acme/app:"
  type        = string

  validation {
    condition     = endswith(var.ci_repository, ":") && length(var.ci_repository) > 6
    error_message = "ci_repository is such as repo:acme/app: with the colon that ends the name."
  }
}

variable "ci_subjects" {
  description = "Jobs that may push images, such as repo:acme/app:environment:images."
  type        = set(string)
  default     = []
}
