# What the internet reaches: one load balancer that speaks TLS, with a firewall before it.

resource "aws_security_group" "this" {
  name        = "app-${var.name}-edge"
  description = "The load balancer: the internet in, the app out"
  vpc_id      = var.vpc
}

resource "aws_vpc_security_group_ingress_rule" "internet" {
  for_each = toset(["80", "443"])

  security_group_id = aws_security_group.this.id
  description       = "Browsers and programs; 80 only sends them to 443"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

resource "aws_vpc_security_group_egress_rule" "app" {
  security_group_id            = aws_security_group.this.id
  description                  = "The app"
  referenced_security_group_id = var.clients
  ip_protocol                  = "tcp"
  from_port                    = 8000
  to_port                      = 8000
}

resource "aws_lb" "this" {
  # No name may begin with "internal-", which a project's may.
  name                       = "app-${var.name}"
  load_balancer_type         = "application"
  subnets                    = var.subnets
  security_groups            = [aws_security_group.this.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.production
  # An answer of a model may take LLM_DEADLINE_SECONDS, 120.
  idle_timeout = 180
}

moved {
  from = aws_lb_target_group.app
  to   = aws_lb_target_group.app["app"]
}

# One for each service that may have requests.
resource "aws_lb_target_group" "app" {
  for_each = toset(var.split ? ["app", "app-second"] : ["app"])

  name                 = "${var.name}${trimprefix(each.key, "app")}"
  vpc_id               = var.vpc
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = 8000
  deregistration_delay = "30"
  # Whoever has the least to do gets the next: streams are long.
  load_balancing_algorithm_type = "least_outstanding_requests"

  # Ready, not alive: a process that waits for a migration gets nobody.
  health_check {
    path                = "/health/ready"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app["app"].arn
  }
}

# Which version gets how many requests. A rule of its own, so that who releases may change nothing
# else of the listener; Terraform leaves it as the last release did.
resource "aws_lb_listener_rule" "shares" {
  count = var.split ? 1 : 0

  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  condition {
    path_pattern {
      values = ["/*"]
    }
  }

  action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = aws_lb_target_group.app

        content {
          arn    = target_group.value.arn
          weight = target_group.key == "app" ? 100 : 0
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [action]
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

# The name and its certificate, which renews itself.

data "aws_route53_zone" "this" {
  name = var.dns_zone
}

resource "aws_acm_certificate" "this" {
  domain_name       = var.domain
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # One name, one proof.
  proof = tolist(aws_acm_certificate.this.domain_validation_options)[0]
}

resource "aws_route53_record" "proof" {
  zone_id         = data.aws_route53_zone.this.zone_id
  name            = local.proof.resource_record_name
  type            = local.proof.resource_record_type
  records         = [local.proof.resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [aws_route53_record.proof.fqdn]
}

resource "aws_route53_record" "app" {
  zone_id = data.aws_route53_zone.this.zone_id
  name    = var.domain
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "More than 5 % of requests fail"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics

  metric_query {
    id          = "share"
    expression  = "100 * (FILL(failed, 0) + FILL(unreached, 0)) / FILL(all, 1)"
    label       = "Failed requests, %"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      failed    = "HTTPCode_Target_5XX_Count"
      unreached = "HTTPCode_ELB_5XX_Count"
      all       = "RequestCount"
    }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = { LoadBalancer = aws_lb.this.arn_suffix }
        stat        = "Sum"
        period      = 60
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "nobody_ready" {
  alarm_name          = "${var.name}-nobody-ready"
  alarm_description   = "No process of the app is ready"
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics

  # Of two versions together: one of them may be nobody.
  metric_query {
    id          = "together"
    expression  = "SUM(FILL(METRICS(), 0))"
    label       = "Ready processes"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = aws_lb_target_group.app

    content {
      id = replace(metric_query.key, "-", "_")

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "HealthyHostCount"
        # What any of the load balancer's own machines sees: one that is new has not asked anybody yet.
        stat   = "Maximum"
        period = 60

        dimensions = {
          LoadBalancer = aws_lb.this.arn_suffix
          TargetGroup  = metric_query.value.arn_suffix
        }
      }
    }
  }
}
