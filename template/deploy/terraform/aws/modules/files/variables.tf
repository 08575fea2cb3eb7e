variable "name" {
  type = string
}

variable "key" {
  type = string
}

variable "production" {
  type = bool
}
