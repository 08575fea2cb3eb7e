variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "region" {
  type = string
}

variable "kind" {
  type = string
}

variable "subnet" {
  type = string
}

variable "zone" {
  type = string
}

variable "model" {
  type = object({ name = string, version = string, capacity = number })
}
