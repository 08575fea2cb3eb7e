# Uploaded files. The app encrypts each before it gets here.

resource "google_storage_bucket" "this" {
  name                        = var.name
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.production

  versioning {
    enabled = true
  }

  # What was deleted by mistake can be had back for a month; then it is gone, as people were promised.
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 30
    }

    action {
      type = "Delete"
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }
}

resource "google_storage_bucket_iam_member" "app" {
  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${var.user}"
}

# The app looks at the bucket itself to say whether files can be reached.
resource "google_storage_bucket_iam_member" "look" {
  bucket = google_storage_bucket.this.name
  role   = "roles/storage.legacyBucketReader"
  member = "serviceAccount:${var.user}"
}

# Google's stores speak S3 with a key of this kind. It may do what the account may.
resource "google_storage_hmac_key" "app" {
  service_account_email = var.user
}
