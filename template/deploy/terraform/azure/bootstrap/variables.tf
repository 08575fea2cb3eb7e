variable "slug" {
  description = "The project's name for machines."
  type        = string
}

variable "region" {
  description = "Where everything runs."
  type        = string
}

variable "subscription" {
  description = "Its id."
  type        = string
}

variable "state_account" {
  description = "A name for the account that keeps the state: 3 to 24 of a-z and 0-9, nobody else's."
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

variable "ci_subject" {
  description = "The job that may push images, such as repo:acme/app:environment:images. Empty: none."
  type        = string
  default     = ""
}
