variable "name" {
  type = string
}

variable "domain" {
  type = string
}

variable "dns_zone" {
  type = string
}

variable "requests_a_minute" {
  description = "From one address; who asks more often is a flood."
  type        = number
}
