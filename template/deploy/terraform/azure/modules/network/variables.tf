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

variable "zones" {
  type = list(string)
}
