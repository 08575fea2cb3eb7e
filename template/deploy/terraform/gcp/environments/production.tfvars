environment           = "production"
project               = "write-the-project-here"
billing_account       = "012345-6789AB-CDEF01"
domain                = "app.example.com"
dns_zone              = "example-com"
alert_email           = "operations@example.com"
infrastructure_budget = 1000

# Settings of the app that are no secrets: docs/settings.md.
settings = {
  MAIL_HOST     = "smtp.example.com"
  MAIL_FROM     = "no-reply@example.com"
  MAIL_USERNAME = "write the SMTP user here"
}
secrets = ["MAIL_PASSWORD"]

# Jobs of CI that may release here: the pool that bootstrap prints, and the job's subject.
ci_principals = [
  "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci-jobs/subject/repo:write-owner/write-name:environment:production",
]
