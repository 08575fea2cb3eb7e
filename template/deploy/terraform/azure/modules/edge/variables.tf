variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "region" {
  type = string
}

variable "host" {
  type = string
}

variable "environment" {
  type = string
}

variable "domain" {
  type = string
}

variable "dns_zone" {
  type = string
}

variable "dns_group" {
  type = string
}

variable "alarms" {
  type = string
}

variable "requests_a_minute" {
  description = "From one address; who asks more often is a flood."
  type        = number
}
