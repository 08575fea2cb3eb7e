output "address" {
  value = aws_db_instance.this.address
}

output "admin_secret" {
  value = aws_db_instance.this.master_user_secret[0].secret_arn
}
