output "service" {
  value = google_cloud_run_v2_service.app.name
}

output "workers" {
  value = google_cloud_run_v2_worker_pool.worker.name
}

output "migrate" {
  value = google_cloud_run_v2_job.this["migrate"].name
}
