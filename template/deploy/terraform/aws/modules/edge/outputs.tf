output "security_group" {
  value = aws_security_group.this.id
}

# Known once somebody listens: a service must not register before.
output "target_groups" {
  value      = { for name, group in aws_lb_target_group.app : name => group.arn }
  depends_on = [aws_lb_listener.https, aws_lb_listener_rule.shares]
}

output "shares" {
  description = "The rule that shares requests between two versions; empty when there are none."
  value       = join("", aws_lb_listener_rule.shares[*].arn)
}
