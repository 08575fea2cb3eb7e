variable "name" {
  type = string
}

variable "domain" {
  type = string
}

variable "dns_zone" {
  type = string
}

variable "vpc" {
  type = string
}

variable "subnets" {
  type = list(string)
}

variable "clients" {
  description = "The security group of the app's processes."
  type        = string
}

variable "split" {
  description = "Whether a release shares requests between two versions."
  type        = bool
}

variable "production" {
  type = bool
}

variable "alarm_topics" {
  type = list(string)
}

variable "requests_a_minute" {
  description = "From one address; who asks more often is a flood."
  type        = number
}
