output "channel" {
  value = google_monitoring_notification_channel.people.id
}
