variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "region" {
  type = string
}

variable "network" {
  type = string
}

variable "delegation" {
  description = "The service that the containers' subnet is given to; null: to machines of our own."
  type        = string
}

variable "zones" {
  type = list(string)
}
