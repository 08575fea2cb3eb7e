variable "name" {
  type = string
}

variable "region" {
  type = string
}

variable "principals" {
  description = "Exactly these jobs."
  type        = set(string)
}

variable "repository" {
  description = "Where bootstrap said that images go."
  type        = string
}
