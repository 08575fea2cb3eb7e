variable "name" {
  type = string
}

variable "project" {
  type = string
}

variable "region" {
  type = string
}

variable "tier" {
  type = string
}

variable "network" {
  type = string
}

variable "subnet" {
  type = string
}

variable "most_connections" {
  type = number
}

variable "gigabytes" {
  type = number
}

variable "production" {
  type = bool
}

variable "channels" {
  description = "Who hears of alarms."
  type        = list(string)
}
