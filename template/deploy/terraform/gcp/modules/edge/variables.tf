variable "name" {
  type = string
}

variable "region" {
  type = string
}

variable "domain" {
  type = string
}

variable "dns_zone" {
  type = string
}

variable "service" {
  type = string
}
