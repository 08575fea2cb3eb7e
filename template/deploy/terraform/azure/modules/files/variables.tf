variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "region" {
  type = string
}

variable "subnet" {
  type = string
}

variable "zone" {
  type = string
}

variable "production" {
  type = bool
}
