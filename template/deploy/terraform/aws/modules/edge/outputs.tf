output "security_group" {
  value = aws_security_group.this.id
}

# Known once somebody listens: a service must not register before.
output "target_group" {
  value      = aws_lb_target_group.app.arn
  depends_on = [aws_lb_listener.https]
}
