variable "name" {
  type = string
}

variable "email" {
  type = string
}

variable "budget" {
  description = "US dollars a month."
  type        = number
}
