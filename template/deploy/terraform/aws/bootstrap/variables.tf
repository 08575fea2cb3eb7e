variable "slug" {
  description = "The project's name for machines."
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
  description = "Who vouches for jobs of CI; empty: GitHub or gitlab.com, as answered."
  type        = string
  default     = ""
}

variable "ci_subjects" {
  description = "Jobs that may push images, such as repo:acme/app:environment:images."
  type        = list(string)
  default     = []
}
