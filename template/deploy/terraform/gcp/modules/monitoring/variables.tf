variable "name" {
  type = string
}

variable "project" {
  type = string
}

variable "email" {
  type = string
}

variable "domain" {
  type = string
}

variable "billing_account" {
  type = string
}

variable "budget" {
  description = "A month, in the currency of the billing account."
  type        = number
}
