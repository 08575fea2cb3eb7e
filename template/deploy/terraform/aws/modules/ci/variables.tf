variable "name" {
  type = string
}

variable "issuer" {
  description = "Who vouches for jobs, such as token.actions.githubusercontent.com."
  type        = string
}

variable "subjects" {
  description = "Exactly these jobs, such as repo:acme/app:environment:production."
  type        = list(string)

  validation {
    condition     = alltrue([for one in var.subjects : !strcontains(one, "*")])
    error_message = "Name each subject in full: a star lets other repositories or branches in."
  }
}

variable "policy" {
  description = "What the role may do."
  type        = string
}
