variable "name" {
  type = string
}

variable "region" {
  type = string
}

variable "network" {
  type = string
}

variable "secondary_ranges" {
  description = "What pods and Services of a cluster get their addresses from."
  type        = map(string)
}
