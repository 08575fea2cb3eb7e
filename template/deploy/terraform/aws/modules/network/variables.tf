variable "name" {
  type = string
}

variable "network" {
  type = string
}

variable "nat_gateways" {
  description = "Ways out: one is cheaper, one per zone outlives a zone."
  type        = number
}

variable "private_models" {
  description = "Endpoint services of models that are reached without the internet."
  type        = list(string)
}
