variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "group_id" {
  type = string
}

variable "email" {
  type = string
}

variable "budget_from" {
  type = string
}

variable "budget" {
  description = "A month, in the currency of the subscription."
  type        = number
}
