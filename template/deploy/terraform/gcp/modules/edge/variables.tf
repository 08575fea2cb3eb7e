variable "name" {
  type = string
}

variable "domain" {
  type = string
}

variable "dns_zone" {
  type = string
}
