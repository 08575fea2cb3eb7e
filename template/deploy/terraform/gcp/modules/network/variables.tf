variable "name" {
  type = string
}

variable "region" {
  type = string
}

variable "network" {
  type = string
}
