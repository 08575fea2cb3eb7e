variable "name" {
  type = string
}

variable "region" {
  type = string
}

variable "production" {
  type = bool
}

variable "user" {
  description = "The service account of the app."
  type        = string
}
