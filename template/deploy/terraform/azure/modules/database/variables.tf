variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "region" {
  type = string
}

variable "sku" {
  type = string
}

variable "subnet" {
  type = string
}

variable "zone" {
  type = string
}

variable "alarms" {
  type = string
}

variable "gigabytes" {
  type = number
}

variable "production" {
  type = bool
}

variable "most_connections" {
  description = "How many it takes, less what the system keeps."
  type        = number
}
