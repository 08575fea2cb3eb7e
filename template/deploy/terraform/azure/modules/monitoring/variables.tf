variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "subscription" {
  type = string
}

variable "groups" {
  description = "Resource groups whose cost is counted."
  type        = list(string)
}

variable "email" {
  type = string
}

variable "budget" {
  description = "A month, in the currency of the subscription."
  type        = number
}
